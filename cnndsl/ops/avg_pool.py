"""Average pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.errors import ConventionError, Fix
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array
from cnndsl.ops.kinds import Choice, Pair
from cnndsl.ops.pool import Pool
from cnndsl.types import TensorType


@dataclass(frozen=True)
class AvgPool(Pool):
    """
    The mean of each window.

    Where windows overhang the image, frameworks divide by different counts, and `divisor` must say
    which: `inside` counts the cells inside the image (TensorFlow, Keras, ONNX by default), `padded`
    also the cells of the padding (PyTorch by default, Caffe). A last window's overhang beyond the
    padding, which rounding up makes, counts in neither.
    """

    row_type = "avgpool"
    summary = "the mean of each window"

    divisor: str | None = attribute(
        Choice(("inside", "padded")),
        "cells that the sum is divided by, where windows overhang",
        None,
    )

    def infer(self, x: TensorType) -> TensorType:
        y = super().infer(x)
        if self.divisor is None and self.window.overhangs(x.height_width):
            raise ConventionError(
                "frameworks divide the border's windows differently: name the divisor",
                column="divisor",
                fixes=[
                    Fix(
                        "divisor=inside, as TensorFlow, Keras and ONNX do: cells inside the image",
                        sets=(("divisor", "inside"),),
                    ),
                    Fix(
                        "divisor=padded, as PyTorch and Caffe do: padding counts too",
                        sets=(("divisor", "padded"),),
                    ),
                ],
            )
        return y

    def evaluate(self, x: Array) -> Array:
        windows = self.window.windows(x, 0.0)
        return windows.sum((-2, -1)) / self.divisors((x.shape[1], x.shape[2]))[..., None]

    def divisors(self, image: Pair) -> Array:
        """What each window's sum is divided by: `[oh, ow]`."""
        rows, columns = (
            self.window.cells_counted(image, axis, padded=self.divisor == "padded")
            for axis in (0, 1)
        )
        return np.outer(rows, columns).astype(np.float64)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        lines = super().conventions(x)
        if self.divisor is None:
            return lines
        padding = "" if self.divisor == "inside" else " and its padding"
        cells = f"the number of its cells inside the image{padding}"
        return (*lines, f"divisor {self.divisor}: a window's sum is divided by {cells}")

    def formula(self, x: TensorType) -> str:
        count = "the number of them"
        if self.divisor == "padded" and self.window.overhangs(x.height_width):
            count += " and of the padding's"
        return f"y[i, j, c] = sum({self.cells(x)}) / {count}"

    def passes_on(self, x: TensorType) -> bool:
        return self.takes_each_cell(x)
