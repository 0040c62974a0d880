"""An image as one vector."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Choice
from cnndsl.types import TensorType, f32

ORDER = Choice(("hwc", "chw"))
_ORDERS = {
    "hwc": ("TensorFlow and Keras", "the maps of a pixel"),
    "chw": ("PyTorch and ONNX", "the pixels of a map"),
}


def order_words(order: str) -> str:
    """What an order of an image's cells comes to, and whose it is."""
    who, runs = _ORDERS[order]
    return f"order {order}: {runs} stay together, as in {who}"


@dataclass(frozen=True)
class Flatten(Op):
    """
    Write an image's cells one after the other.

    In the order hwc (TensorFlow, Keras) the maps of a pixel stay together; in chw (PyTorch, ONNX)
    the pixels of a map do. It matters to the weights of the dense layer behind it.
    """

    row_type = "flatten"
    summary = "an image as one vector"
    reads = "any"
    moves = True

    order: str = attribute(ORDER, "which index varies slowest to fastest", "hwc")

    def infer(self, x: TensorType) -> TensorType:
        return f32(x.size)

    @property
    def in_place(self) -> bool:
        return self.order == "hwc"

    def evaluate(self, x: Array) -> Array:
        if self.order == "chw" and x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)
        return x.reshape(x.shape[0], -1)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        if not x.is_image:
            return ()
        return (order_words(self.order),)

    def formula(self, x: TensorType) -> str:
        if not x.is_image:
            return "y[k] = x[k]"
        height, width, maps = x.shape
        if self.order == "chw":
            return f"y[c*{height * width} + i*{width} + j] = x[i, j, c]"
        return f"y[i*{width * maps} + j*{maps} + c] = x[i, j, c]"
