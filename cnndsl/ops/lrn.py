"""Local response normalization, in the four conventions that are in use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.errors import ConventionError, Fix
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Choice, Count, Number
from cnndsl.types import TensorType


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Maps c - lower .. c + upper are summed, and the sum is multiplied by `scale`."""

    lower: int
    upper: int
    scale: float


@dataclass(frozen=True)
class Lrn(Op):
    """
    Divide each cell by a power of the sum of squares of its neighbours in the other maps.

    `y[c] = x[c] / (k + scale * sum(x[j]^2 for c - lower <= j <= c + upper)) ^ beta`, the window
    clipped at the first and the last map. What the window is, and whether alpha is divided by it,
    differs; exactly one option says whose convention holds:

    - `r`: the book's formula, r/2 maps on each side, scale = alpha;
    - `n`: the AlexNet paper (Krizhevsky et al. 2012, section 3.3), n // 2 on each side,
      scale = alpha;
    - `depth_radius`: TensorFlow, that many on each side, scale = alpha;
    - `size`: ONNX and PyTorch, size maps in all, scale = alpha / size. They place an even size
      differently: `align=onnx` has the longer side above c, `align=torch` below.
    """

    row_type = "lrn"
    summary = "local response normalization over neighbouring maps"

    alpha: float = attribute(Number(above=0.0), "factor of the sum of squares")
    beta: float = attribute(Number(above=0.0), "exponent")
    k: float = attribute(
        Number(above=0.0), "added to the sum; `bias` in TensorFlow and ONNX", aliases=("bias",)
    )
    r: int | None = attribute(Count(0), "window as in the book's formula", None, group="window")
    n: int | None = attribute(Count(), "window as in the AlexNet paper", None, group="window")
    depth_radius: int | None = attribute(Count(0), "window as in TensorFlow", None, group="window")
    size: int | None = attribute(Count(), "window as in ONNX and PyTorch", None, group="window")
    align: str | None = attribute(
        Choice(("onnx", "torch")), "where an even `size` has its longer side", None
    )

    def neighbours(self) -> Neighbours:
        """The resolved window. Raises `ConventionError`."""
        windows = {"r": self.r, "n": self.n, "depth_radius": self.depth_radius, "size": self.size}
        given = [(name, maps) for name, maps in windows.items() if maps is not None]
        if len(given) != 1:
            named = " and ".join(f"{name}={maps}" for name, maps in given)
            raise ConventionError(
                f"LRN's window is given {'twice' if named else 'by nothing'}"
                + (f": {named}" if named else ""),
                fixes=[
                    "exactly one of r= (the book), n= (AlexNet paper), depth_radius= (TensorFlow), "
                    "size= (ONNX, PyTorch)"
                ],
            )
        name, maps = given[0]
        if name == "size":
            return self._of_size(maps)
        if self.align is not None:
            raise ConventionError(f"align goes with size=, and {name}= is given", column="align")
        if name == "r" and maps % 2:
            raise ConventionError(
                f"r={maps}: the book's formula has r/2 maps on each side, so r must be even",
                column="r",
                fixes=[
                    Fix(f"r={maps - 1}", sets=(("r", str(maps - 1)),)),
                    "another convention: n=, depth_radius=, size=",
                ],
            )
        each = maps if name == "depth_radius" else maps // 2
        return Neighbours(each, each, self.alpha)

    def _of_size(self, size: int) -> Neighbours:
        below, above = (size - 1) // 2, size // 2
        if below != above and self.align is None:
            raise ConventionError(
                f"ONNX and PyTorch place a window of an even size {size} differently",
                column="size",
                fixes=[
                    Fix(
                        f"align=onnx: {below} maps below, {above} above",
                        sets=(("align", "onnx"),),
                    ),
                    Fix(
                        f"align=torch: {above} maps below, {below} above",
                        sets=(("align", "torch"),),
                    ),
                ],
            )
        if self.align == "torch":
            below, above = above, below
        return Neighbours(below, above, self.alpha / size)

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        self.neighbours()
        return x

    def evaluate(self, x: Array) -> Array:
        window = self.neighbours()
        maps = x.shape[-1]
        sums = np.zeros_like(x)
        for c in range(maps):
            near = x[..., max(0, c - window.lower) : min(maps, c + window.upper + 1)]
            sums[..., c] = np.sum(near**2, axis=-1)
        return x / (self.k + window.scale * sums) ** self.beta

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        window, number = self.neighbours(), Number().format
        name = next(n for n in ("r", "n", "depth_radius", "size") if getattr(self, n) is not None)
        count = window.lower + 1 + window.upper
        return (
            f"{name}={getattr(self, name)}: {count} maps are summed, c-{window.lower} to "
            f"c+{window.upper}, and alpha counts as {number(window.scale)}",
        )

    def formula(self, x: TensorType) -> str:
        window, number = self.neighbours(), Number().format
        scale = number(self.alpha) + (f" / {self.size}" if self.size is not None else "")
        return (
            f"y[i, j, c] = x[i, j, c] / ({number(self.k)} + {scale} * sum(x[i, j, m]^2 for "
            f"max(0, c-{window.lower}) <= m <= min({x.maps - 1}, c+{window.upper})))"
            f" ^ {number(self.beta)}"
        )
