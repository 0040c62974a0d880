"""
What an ONNX value is in our graph.

ONNX reshapes and transposes freely; our tensors are images and vectors. So a value is a *view* of a
node's result: an ONNX shape, and for each of its places the cell that stands there. Views cost
nothing. Where an operator needs an image or a vector, `realise` looks for the rows that make it:
a channel shuffle, say, is found whatever reshapes and transpositions it was written with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnndsl.ops.base import Op
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.shuffle import Shuffle
from cnndsl.types import TensorType, f32

Places = NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """
    One image's part of an ONNX value: its `shape` is without the batch.

    Cells of the result of `node`, whose type is `type`, are counted map by map, as ONNX lays them
    out; `places` has the number of the cell at each place, None where they come in order. `shared`
    says whether others read the same node.
    """

    node: str
    type: TensorType
    shape: tuple[int, ...]
    places: Places | None = None
    shared: bool = False

    @property
    def flat(self) -> Places:
        """The cells in the order of the view."""
        return np.arange(self.type.size) if self.places is None else self.places.reshape(-1)

    @property
    def plain(self) -> bool:
        """Whether it is an image `(c, h, w)` or a vector `(f,)` as it stands in the node."""
        return self.places is None and self.shape == onnx_shape(self.type)

    def reshaped(self, shape: tuple[int, ...]) -> View:
        """The same cells in the same order."""
        places = None if self.places is None else self.places.reshape(shape)
        return replace(self, shape=shape, places=places)

    def transposed(self, axes: tuple[int, ...]) -> View:
        """With its axes in another order."""
        places = self.flat.reshape(self.shape).transpose(axes)
        view = replace(self, shape=places.shape, places=places)
        in_order = np.array_equal(view.flat, np.arange(self.type.size))
        return replace(view, places=None) if in_order else view

    def expanded(self, shape: tuple[int, ...]) -> View:
        """With its cells repeated along axes of one place, and along new ones in front."""
        if self.shape == shape:
            return self
        if prod(shape) == prod(self.shape):
            return self.reshaped(shape)
        return replace(
            self, shape=shape, places=np.broadcast_to(self.flat.reshape(self.shape), shape)
        )

    def narrowed(self) -> View:
        """Without repetition: one place along each axis along which all cells are the same."""
        if self.places is None or self.places.size <= self.type.size:
            return self
        places = self.places
        for axis in range(places.ndim):
            first = places.take([0], axis)
            if np.array_equal(np.broadcast_to(first, places.shape), places):
                places = first
        view = replace(self, shape=places.shape, places=places)
        in_order = np.array_equal(view.flat, np.arange(self.type.size))
        return replace(view, places=None) if in_order else view


def onnx_shape(type_: TensorType) -> tuple[int, ...]:
    """An image's shape as ONNX has it."""
    return (type_.maps, *type_.height_width) if type_.is_image else type_.shape


def as_image(shape: tuple[int, ...]) -> TensorType:
    """
    The image whose maps are the first axis; axes beyond height and width count as rows.

    >>> as_image((8, 5, 4)), as_image((8, 5)), as_image((8,)), as_image((8, 2, 3, 4)), as_image(())
    (f32[5,4,8], f32[1,5,8], f32[1,1,8], f32[6,4,8], f32[1,1,1])
    """
    maps, *rest = shape or (1,)
    return f32(prod(rest[:-1]), rest[-1] if rest else 1, maps)


def realise(view: View, type_: TensorType) -> tuple[Op, ...] | None:
    """
    The operators that make of the view's node a tensor with the view's cells in their order.

    None where no row does.
    """
    in_order = view.places is None
    if in_order and view.type == type_:
        return ()
    if view.type.size != type_.size:
        return None
    for ops in _candidates(view.type, type_):
        if moves_alike(view, lambda cells, ops=ops: _in_turn(ops, cells)):
            return ops
    return None


def moves_alike(view: View, run: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> bool:
    """Whether what is run on the view's node gives the view's cells in their order."""
    cells = _from_onnx(np.arange(view.type.size, dtype=np.float64), view.type)
    return np.array_equal(_to_onnx(run(cells)).reshape(-1), view.flat)


def _in_turn(ops: tuple[Op, ...], cells: NDArray[np.float64]) -> NDArray[np.float64]:
    for op in ops:
        cells = op.evaluate(cells)
    return cells


def _candidates(old: TensorType, new: TensorType) -> Iterator[tuple[Op, ...]]:
    """Rows, or pairs of rows, that move cells from one type to another."""
    if not new.is_image:
        yield from ((Flatten(order),) for order in ("chw", "hwc"))
        return
    yield from ((Reshape(new.shape, order),) for order in ("chw", "hwc"))
    if old == new:
        yield from ((Shuffle(g),) for g in range(2, old.maps) if old.maps % g == 0)
    if old.is_image:
        yield (Flatten("chw"), Reshape(new.shape, "hwc"))
        yield (Flatten("hwc"), Reshape(new.shape, "chw"))


def _from_onnx(flat: NDArray[np.float64], type_: TensorType) -> NDArray[np.float64]:
    cells = flat.reshape(1, *onnx_shape(type_))
    return cells.transpose(0, 2, 3, 1) if type_.is_image else cells


def _to_onnx(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    return cells.transpose(0, 3, 1, 2) if cells.ndim == 4 else cells
