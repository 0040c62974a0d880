"""
Sliding windows: stride, dilation and rounding, and the padding around, shared by convolution and
pooling.

Output size of one axis (Dumoulin and Visin, arXiv:1603.07285, relation 15):
`(in + begin + end - (dilation * (kernel - 1) + 1)) // stride + 1`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from cnndsl.errors import ConventionError, Fix, ShapeError
from cnndsl.ops.base import Array
from cnndsl.ops.kinds import Pair, Step
from cnndsl.ops.padding import Padding, PaddingKind, Sides, padding_words


@dataclass(frozen=True, slots=True)
class Window:
    """A window that slides over an image, each field as (height, width)."""

    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair = (1, 1)
    rounding: str = "floor"

    @property
    def reach(self) -> Pair:
        """Cells from a window's first to its last, both counted: `dilation * (kernel - 1) + 1`."""
        return (
            self.dilation[0] * (self.kernel[0] - 1) + 1,
            self.dilation[1] * (self.kernel[1] - 1) + 1,
        )

    def sides(self, image: Pair) -> Sides:
        """The cells added around an image of that size. Raises `ConventionError`."""
        if self.padding.mode == "valid":
            return (0, 0), (0, 0)
        if self.padding.mode == "explicit":
            return self.padding.sides
        totals = [
            max(0, (-(-size // stride) - 1) * stride + reach - size)
            for size, stride, reach in zip(image, self.stride, self.reach, strict=True)
        ]
        if self.padding.mode == "same" and any(total % 2 for total in totals):
            raise ConventionError(
                "frameworks read `same` differently here: an odd number of cells is added",
                notes=[
                    f"{totals[0]} rows and {totals[1]} columns are added to "
                    f"{image[0]}x{image[1]}; same_upper puts the odd one at the bottom and right, "
                    "same_lower at the top and left"
                ],
                column="padding",
                fixes=[
                    Fix(
                        "same_upper, as TensorFlow, Keras and ONNX SAME_UPPER do",
                        sets=(("padding", "same_upper"),),
                    ),
                    Fix("same_lower, as ONNX SAME_LOWER does", sets=(("padding", "same_lower"),)),
                ],
            )
        if self.padding.mode == "same_lower":
            return (totals[0] - totals[0] // 2, totals[0] // 2), (
                totals[1] - totals[1] // 2,
                totals[1] // 2,
            )
        return (totals[0] // 2, totals[0] - totals[0] // 2), (
            totals[1] // 2,
            totals[1] - totals[1] // 2,
        )

    def output(self, image: Pair) -> Pair:
        """How many windows fit into an image of that size. Raises `ShapeError`."""
        sides = self.sides(image)
        # ONNX and PyTorch drop a last window that starts beyond the image and its begin padding;
        # Caffe does so only where any side is padded. `same` keeps the size that it promises.
        padded = self.padding.mode.startswith("same") or any(map(any, sides))
        clipped = self.rounding == "ceil" or padded
        axes = zip(image, sides, self.reach, self.stride, strict=True)
        counts = [self._count(*axis, clipped=clipped) for axis in axes]
        if min(counts) < 1:
            height, width = (size + sum(side) for size, side in zip(image, sides, strict=True))
            dilated = f" (dilated from {_x(self.kernel)})" if self.reach != self.kernel else ""
            raise ShapeError(
                f"a {_x(self.reach)} window{dilated} does not fit into {_x(image)}"
                + (f", padded to {height}x{width}" if (height, width) != image else ""),
                column="kernel",
            )
        return counts[0], counts[1]

    def _count(self, size: int, side: Pair, reach: int, stride: int, *, clipped: bool) -> int:
        room = size + sum(side) - reach
        if self.rounding == "floor":
            return room // stride + 1
        count = -(-room // stride) + 1
        starts_outside = (count - 1) * stride >= size + side[0]
        return count - 1 if starts_outside and clipped else count

    def overhangs(self, image: Pair) -> bool:
        """Whether some window has a cell outside the image."""
        return any(map(any, self.grown_sides(image)))

    def misses(self, image: Pair) -> bool:
        """Whether some window has no cell inside the image."""
        axes = zip(image, self.sides(image), self.output(image), strict=True)
        return any(self._misses(axis, *facts) for axis, facts in enumerate(axes))

    def _misses(self, axis: int, size: int, side: Pair, count: int) -> bool:
        stride, dilation, kernel = self.stride[axis], self.dilation[axis], self.kernel[axis]
        if (count - 1) * stride - side[0] >= size:
            return True
        # Of a window that starts before the image, the first cell that is not before it decides.
        for start in range(-side[0], min(0, count * stride - side[0]), stride):
            cell = -(start // dilation)
            if cell >= kernel or start + cell * dilation >= size:
                return True
        return False

    def grown_sides(self, image: Pair) -> Sides:
        """The cells around the image that windows touch: padding, and overhang of rounding up."""
        sides, counts = self.sides(image), self.output(image)
        ends = [
            max(0, (count - 1) * stride + reach - size - side[0])
            for count, stride, reach, size, side in zip(
                counts, self.stride, self.reach, image, sides, strict=True
            )
        ]
        return (sides[0][0], ends[0]), (sides[1][0], ends[1])

    def padded_cells(self, image: Pair) -> int:
        """Cells of a map together with the cells around it that windows touch."""
        (top, bottom), (left, right) = self.grown_sides(image)
        return (top + image[0] + bottom) * (left + image[1] + right)

    def windows(self, x: Array, fill: float) -> Array:
        """All windows of `x[n, h, w, c]`, cells outside being `fill`: `[n, oh, ow, c, kh, kw]`."""
        image = x.shape[1], x.shape[2]
        sides = self.grown_sides(image)
        padded = np.pad(x, ((0, 0), *sides, (0, 0)), constant_values=fill)
        view = sliding_window_view(padded, self.reach, (1, 2))
        rows, columns = self.output(image)
        view = view[:, :: self.stride[0], :: self.stride[1]][:, :rows, :columns]
        return view[..., :: self.dilation[0], :: self.dilation[1]]

    def cells_counted(self, image: Pair, axis: int, *, padded: bool) -> NDArray[np.int64]:
        """
        For each window along an axis, its cells inside the image or, `padded`, its padding too.

        >>> pool = Window((3, 3), (2, 2), Padding("explicit", ((1, 1), (1, 1))))
        >>> pool.cells_counted((4, 4), 0, padded=False).tolist()
        [2, 3]
        """
        begin, end = self.sides(image)[axis]
        low, high = (-begin, image[axis] + end) if padded else (0, image[axis])
        starts = np.arange(self.output(image)[axis]) * self.stride[axis] - begin
        cells = starts[:, None] + np.arange(self.kernel[axis]) * self.dilation[axis]
        return np.count_nonzero((cells >= low) & (cells < high), axis=1).astype(np.int64)

    def conventions(self, image: Pair) -> tuple[str, ...]:
        """
        Where cells are added and where a last window overhangs, if either happens.

        >>> Window((3, 3), (2, 2), Padding("same_upper")).conventions((8, 8))
        ('padding same_upper: 0 rows above, 1 below, 0 columns left, 1 right',)
        >>> Window((2, 2), (2, 2), Padding("valid"), rounding="ceil").conventions((5, 4))
        ('rounding ceil: the last window overhangs by 1 row, 0 columns',)
        """
        (top, bottom), (left, right) = self.sides(image)
        lines: list[str] = []
        if any((top, bottom, left, right)):
            lines.append(
                f"padding {PaddingKind().format(self.padding)}: {_some(top, 'row')} above, "
                f"{bottom} below, {_some(left, 'column')} left, {right} right"
            )
        (_, low), (_, last) = self.grown_sides(image)
        if self.rounding != "floor":
            rows, columns = max(0, low - bottom), max(0, last - right)
            lines.append(
                f"rounding {self.rounding}: the last window overhangs by {_some(rows, 'row')}, "
                f"{_some(columns, 'column')}"
            )
        return tuple(lines)

    def cell(self, image: Pair) -> str:
        """
        Where cell (u, v) of window (i, j) lies in the image, for a formula.

        >>> Window((3, 3), (2, 1), Padding("explicit", ((1, 1), (0, 0)))).cell((8, 8))
        '2i+u-1, j+v'
        """
        words: list[str] = []
        for axis, (i, u) in enumerate(("iu", "jv")):
            stride, dilation, begin = (
                self.stride[axis],
                self.dilation[axis],
                self.sides(image)[axis][0],
            )
            left = i if stride == 1 else f"{stride}{i}"
            right = u if dilation == 1 else f"{dilation}{u}"
            words.append(f"{left}+{right}" + (f"-{begin}" if begin else ""))
        return ", ".join(words)

    def arithmetic(self, image: Pair) -> str:
        """
        The output size as a sum to check by hand.

        >>> Window((11, 11), (4, 4), Padding("valid")).arithmetic((224, 224))
        '224x224 through 11x11 stride 4 valid is 54x54: (224 - 11) // 4 + 1 = 54'
        >>> Window((2, 2), (2, 2), Padding("valid"), rounding="ceil").arithmetic((5, 5))
        '5x5 through 2x2 stride 2 valid rounding ceil is 3x3: ceil((5 - 2) / 2) + 1 = 3'
        """
        step, output, sides = Step(), self.output(image), self.sides(image)
        words = [f"{_x(image)} through {_x(self.kernel)}", f"stride {step.format(self.stride)}"]
        if self.dilation != (1, 1):
            words.append(f"dilation {step.format(self.dilation)}")
        words.append(padding_words(self.padding))
        if self.rounding != "floor":
            words.append(f"rounding {self.rounding}")
        axes = zip(image, sides, self.reach, self.stride, output, strict=True)
        # Both axes often have one and the same sum: it is said once.
        sums = dict.fromkeys(self._sum(*axis) for axis in axes)
        return f"{' '.join(words)} is {_x(output)}: {'; '.join(sums)}"

    def _sum(self, size: int, side: Pair, reach: int, stride: int, output: int) -> str:
        room = f"({size} + {side[0]} + {side[1]} - {reach})" if any(side) else f"({size} - {reach})"
        if self.rounding == "floor":
            return f"{room} // {stride} + 1 = {output}"
        total = f"ceil({room} / {stride}) + 1"
        if output == -(-(size + sum(side) - reach) // stride) + 1:
            return f"{total} = {output}"
        return f"{total} - 1 = {output} (a last window that starts outside is dropped)"


def _x(pair: Pair) -> str:
    return f"{pair[0]}x{pair[1]}"


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
