"""What the CPU backend calls a kernel, and how a field of a kernel's row is written."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kernel:
    """
    A compiled function of four 64-bit integers, named by what makes it.

    `module` is a file of kernels/ and `function` a name in it: the kernel itself, or, where there
    are parameters, a function that returns the kernel for them.

    >>> Kernel("conv_direct", "conv_tile", (6, 2)).name
    'conv_tile_6_2'
    """

    module: str
    function: str
    parameters: tuple[int | float | str, ...] = ()

    @property
    def name(self) -> str:
        """A name that no other kernel has: file names and symbols are made of it."""
        return "_".join([self.function, *map(str, self.parameters)])

    @property
    def symbol(self) -> str:
        """What its object file calls it."""
        return f"cnndsl_{self.name}"


def encode(value: int | float) -> int:
    """
    A field as the integer that its row holds: a float as the bits of a float64.

    >>> encode(3), encode(1.0) == 0x3FF0000000000000
    (3, True)
    """
    if isinstance(value, float):
        return struct.unpack("<q", struct.pack("<d", value))[0]
    return value
