"""The machine that kernels are compiled for."""

import platform
from dataclasses import dataclass
from functools import cache

from llvmlite import binding

ARM = ("aarch64", "arm64")
WIDEST, WIDE = ("avx512f", "avx512vl"), ("avx2", "fma")
"""Features that all have to be there for vectors of so many lanes:"""
WIDEST_LANES, WIDE_LANES = 16, 8

HALVING = frozenset(
    {
        # AVX2 in units of 128 bits. AMD's optimization guides for family 17h, models 00h-2Fh, and
        # 15h, models 60h-7Fh; Intel's optimization manual on Gracemont and Crestmont.
        *("znver1", "bdver4"),
        *("gracemont", "sierraforest", "grandridge"),
        # AVX-512 in units of 256 bits: AMD's guide for family 19h, models 10h and later.
        "znver4",
        # One unit of 512 bits, made of two of 256: Intel's clients before Alder Lake.
        *("cannonlake", "icelake-client", "tigerlake", "rocketlake"),
    }
)
"""
Processors, by LLVM's names, that take twice as long for a vector of the widest kind that they have.

Others multiply and add two vectors a cycle, of whatever width. That of AVX-512 in two halves is a
gain all the same: there are more registers, and half as many instructions.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """
    A CPU as kernels see it: how wide its vectors are, and how many registers hold them.

    `lanes` is the number of float32 in a vector register, `registers` the number of vector
    registers, `features` the sorted names of the instruction sets that the machine has.
    """

    cpu: str
    features: tuple[str, ...]
    lanes: int
    registers: int

    @staticmethod
    @cache
    def host() -> "Target":
        """
        The machine that this process runs on.

        >>> Target.host().lanes in (4, 8, 16)
        True
        """
        found: dict[str, bool] = binding.get_host_cpu_features()
        features = tuple(sorted(name for name, present in found.items() if present))
        lanes, registers = _vectors(features)
        return Target(binding.get_host_cpu_name(), features, lanes, registers)

    @property
    def vectors_a_cycle(self) -> int:
        """
        Vectors of multiply-adds that a core begins each cycle.

        >>> [Target(cpu, (), 8, 16).vectors_a_cycle for cpu in ("znver1", "znver3")]
        [1, 2]
        """
        return 1 if self.cpu in HALVING and self.lanes >= WIDE_LANES else 2

    @property
    def halves_avx2(self) -> bool:
        """
        Whether a core computes vectors of eight lanes in halves.

        >>> Target("znver1", (), 8, 16).halves_avx2, Target("znver4", (), 16, 32).halves_avx2
        (True, False)
        """
        return self.lanes == WIDE_LANES and self.vectors_a_cycle == 1

    @property
    def used(self) -> tuple[str, ...]:
        """The features that decide how wide its vectors are; none where there are but the least."""
        return {WIDEST_LANES: WIDEST, WIDE_LANES: WIDE}.get(self.lanes, ())


def _vectors(features: tuple[str, ...]) -> tuple[int, int]:
    """Lanes and number of the vector registers."""
    if platform.machine().lower() in ARM:
        return 4, 32
    if set(WIDEST) <= set(features):
        return WIDEST_LANES, 32
    if set(WIDE) <= set(features):
        return WIDE_LANES, 16
    return 4, 16
