"""The machine that kernels are compiled for."""

import platform
from dataclasses import dataclass
from functools import cache

from llvmlite import binding

ARM = ("aarch64", "arm64")
WIDEST, WIDE = ("avx512f", "avx512vl"), ("avx2", "fma")
"""Features that all have to be there for vectors of so many lanes:"""
WIDEST_LANES, WIDE_LANES = 16, 8


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
