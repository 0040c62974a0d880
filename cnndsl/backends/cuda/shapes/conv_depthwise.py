"""
Convolutions in which an output map reads few input maps: depthwise, and groups of a few maps.

A matrix product would be thin: here a thread computes some neighbouring output maps of some pixels
of a row, and keeps the filter's row and the pixels that its taps share in registers.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Maps = Literal["each", "groups", "single"]
"""
Which output maps a thread has, and what they read: `each` of four its own input map, `groups` of
four the input maps of their group, which divide by 4, or a `single` one those of its group.
"""


class DepthwiseTile(NamedTuple):
    """What a thread computes: `pixels` of a row. All of the filter's row is known ahead."""

    maps: Maps
    pixels: int
    kernel_width: int
    stride_width: int
    dilation_width: int

    @property
    def out_maps(self) -> int:
        """Output maps of a thread."""
        return 1 if self.maps == "single" else 4

    @property
    def in_maps(self) -> int:
        """Input maps that are read at a time and multiplied with all output maps of a thread."""
        return 4 if self.maps == "groups" else 1

    @property
    def sums(self) -> int:
        """Sums of a thread."""
        return self.pixels * self.out_maps

    @property
    def columns(self) -> tuple[int, ...]:
        """
        The columns of x that some tap reads, from that of the first pixel's first tap on.

        >>> DepthwiseTile("each", 2, 3, 2, 1).columns
        (0, 1, 2, 3, 4)
        """
        taps = range(self.kernel_width)
        reads = {
            p * self.stride_width + v * self.dilation_width
            for p in range(self.pixels)
            for v in taps
        }
        return tuple(sorted(reads))


class DepthwiseShape(NamedTuple):
    """
    A convolution, as in `ConvTileShape`; `cells` are the threads that have work.

    The weights are packed as `[u, v, c, output map]`, c counting the input maps of a group.
    """

    cells: int
    out_height: int
    out_width: int
    height: int
    width: int
    kernel_height: int
    stride_height: int
    top: int
    left: int
    dilation_height: int
    group_in: int
    group_out: int
    out_maps: int
    x_image: int
    x_row: int
    x_pixel: int
    y_image: int
    y_row: int
    y_pixel: int
    adds: int
    alpha: float
    beta: float
