"""The GPU that kernels are compiled for and launched on."""

from __future__ import annotations

from dataclasses import dataclass

Architecture = tuple[int, int]
"""The compute capability: (9, 0) is sm_90, an H100."""

ARCHITECTURES: tuple[Architecture, ...] = ((7, 5), (8, 0), (9, 0))
"""What every kernel is compiled for in the tests: Turing, Ampere, Hopper."""

AMPERE = (8, 0)
"""From here on memory travels to shared memory by itself, and tensor cores know tf32, bfloat16."""

OLDEST = ARCHITECTURES[0]
"""The oldest architecture that kernels are made for."""

_SHARED_KIB = {(7, 5): 64, (8, 0): 163, (9, 0): 227}
"""Shared memory that a block may ask for."""

LARGEST_GRID = (2**31 - 1, 65535, 65535)
LARGEST_BLOCK = 1024
"""CUDA C++ Programming Guide, technical specifications by compute capability."""


def architecture_name(architecture: Architecture) -> str:
    """
    The name that compilers have for it.

    >>> architecture_name((9, 0))
    'sm_90'
    """
    return f"sm_{architecture[0]}{architecture[1]}"


@dataclass(frozen=True, slots=True)
class Gpu:
    """
    A GPU as launches see it.

    It has `processors` multiprocessors (the guide's SMs), and `shared_bytes` of shared memory for a
    block that asks for it. A block of a kernel that walks over cells has `threads` threads, a power
    of two, and a processor is given `blocks` of them. In a `simulated` one every thread of a block
    is a thread of Python's, so blocks are as small as they can be.
    """

    name: str
    architecture: Architecture
    processors: int
    shared_bytes: int
    threads: int = 256
    blocks: int = 8
    simulated: bool = False

    @property
    def has_async_copies(self) -> bool:
        """Whether memory can travel to shared memory by itself."""
        return self.architecture >= AMPERE


SIMULATED_GPU = Gpu("simulator", (9, 0), 1, 48 * 1024, threads=4, blocks=2, simulated=True)
"""What the simulator passes for."""


def assumed_gpu(architecture: Architecture) -> Gpu:
    """A GPU that is not at hand, for texts and tests: as many processors as an A100 has."""
    return Gpu(architecture_name(architecture), architecture, 108, _SHARED_KIB[architecture] << 10)
