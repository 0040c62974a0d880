"""What a convolution of a batch computes and where its images lie, apart from how."""

from __future__ import annotations

from dataclasses import dataclass

Pair = tuple[int, int]
"""(vertical, horizontal)"""


@dataclass(frozen=True, slots=True)
class Strides:
    """
    Floats from one image of a batch to the next, from one row to the next, and pixels.

    The first pixel lies `start` floats behind a place that divides by 16 bytes.
    """

    image: int
    row: int
    pixel: int
    start: int = 0

    @staticmethod
    def dense(image: Pair, maps: int) -> Strides:
        """
        Those of images without gaps.

        >>> Strides.dense((4, 5), 3)
        Strides(image=60, row=15, pixel=3, start=0)
        """
        height, width = image
        return Strides(height * width * maps, width * maps, maps)

    def divide_by(self, number: int) -> bool:
        """Whether every pixel starts at a multiple of `number`."""
        return not any(n % number for n in (self.image, self.row, self.pixel, self.start))


@dataclass(frozen=True, slots=True)
class Convolution:
    """
    `images` times an image through filters; a dense layer is one of 1x1 images.

    `image` and `size` are the height and width of x and y. `padding` counts the rows of zeros above
    the image and the columns left of it; what lies below and to the right follows from `size`.
    """

    images: int
    image: Pair
    size: Pair
    in_maps: int
    out_maps: int
    x: Strides
    y: Strides
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def rows(self) -> int:
        """Pixels of all output images."""
        return self.images * self.size[0] * self.size[1]

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
