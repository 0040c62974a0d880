"""The GPU that kernels are compiled for and launched on."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.types import Precision

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
REGISTERS = 65536
"""
Of a grid, a block and a processor: CUDA C++ Programming Guide, technical specifications by compute
capability.
"""

_BLOCK_KEEPS = 1024
"""Bytes of shared memory that the system has of each block, from Ampere on."""

_MULTIPLY_ADDS = {
    "float32": {(7, 5): 64, (8, 0): 64, (8, 6): 128},
    "tf32": {(8, 0): 512, (8, 6): 256, (8, 7): 512, (8, 9): 256, (9, 0): 640},
    "float16": {(7, 5): 512, (8, 0): 1024, (8, 6): 512, (8, 7): 1024, (8, 9): 512, (9, 0): 1280},
}
"""
Of a processor a cycle, by the first architecture that has them: the guide's arithmetic
instructions, the whitepapers' tensor cores. Of Hopper's, instructions of one warp have two thirds
(Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture", 2024).
"""


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

    def multiply_adds(self, precision: Precision) -> int:
        """
        How many a processor computes in a cycle, with factors of that precision.

        >>> assumed_gpu((8, 0)).multiply_adds("float32"), assumed_gpu((8, 0)).multiply_adds("tf32")
        (64, 512)
        """
        known = _MULTIPLY_ADDS["float16" if precision == "bfloat16" else precision]
        return known[max((a for a in known if a <= self.architecture), default=min(known))]

    def resident_blocks(self, threads: int, shared_bytes: int) -> int:
        """
        How many blocks a processor has room for, as far as threads and shared memory go.

        >>> Gpu("H100", (9, 0), 132, 227 << 10).resident_blocks(256, 74 << 10)
        3
        """
        keeps = _BLOCK_KEEPS if self.has_async_copies else 0
        most_threads = 2048 if self.architecture in ((8, 0), (9, 0), (10, 0)) else 1024
        by_memory = (self.shared_bytes + keeps) // (shared_bytes + keeps)
        return max(1, min(most_threads // threads, by_memory))


SIMULATED_GPU = Gpu("simulator", (9, 0), 1, 48 * 1024, threads=4, blocks=2, simulated=True)
"""What the simulator passes for."""


def assumed_gpu(architecture: Architecture) -> Gpu:
    """A GPU that is not at hand, for texts and tests: as many processors as an A100 has."""
    return Gpu(architecture_name(architecture), architecture, 108, _SHARED_KIB[architecture] << 10)
