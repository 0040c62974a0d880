"""What a convolution computes, apart from how it is computed and where things lie."""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[int, int]
"""(vertical, horizontal)"""


@dataclass(frozen=True, slots=True)
class ConvShape:
    """
    One convolution of one image.

    `size` is the height and width of the output. `padding` counts the rows of zeros above the image
    and the columns left of it; what lies below and to the right follows from `size`.
    """

    size: Pair
    in_maps: int
    out_maps: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def pixels(self) -> int:
        """Pixels of an output image."""
        return self.size[0] * self.size[1]

    @property
    def group_in(self) -> int:
        """Input maps that one output map reads."""
        return self.in_maps // self.groups

    @property
    def group_out(self) -> int:
        """Output maps of a group."""
        return self.out_maps // self.groups

    @property
    def reduction(self) -> int:
        """Multiply-adds of one output value."""
        return self.kernel[0] * self.kernel[1] * self.group_in

    @property
    def macs(self) -> int:
        """Multiply-adds of one image."""
        return self.pixels * self.out_maps * self.reduction
