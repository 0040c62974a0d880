"""
Sums and maxima over the lanes of a block.

A lane has put its part into shared memory, at `place`; a line of `lanes` lanes, a power of two, has
neighbouring places. All threads of the block take part. Afterwards the result is at the place of
lane 0, and everyone may read it.
"""

from numba import int32

from cnndsl.backends.cuda.kernels.device_code import Floats, barrier, inlined


@inlined
def total(parts: Floats, place: int, lane: int, lanes: int) -> None:
    """Add the parts of each line up, always in the same order."""
    barrier()
    step = int32(lanes // 2)
    while step > 0:
        if lane < step:
            parts[place] = parts[place] + parts[place + step]
        barrier()
        step = int32(step // 2)


@inlined
def largest(parts: Floats, place: int, lane: int, lanes: int) -> None:
    """Find the largest part of each line."""
    barrier()
    step = int32(lanes // 2)
    while step > 0:
        if lane < step and parts[place + step] > parts[place]:
            parts[place] = parts[place + step]
        barrier()
        step = int32(step // 2)
