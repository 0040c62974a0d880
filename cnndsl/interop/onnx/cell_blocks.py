"""
Blocks of cells that become maps, and back: pixel shuffles, as filters that are 1 in one place.

Each result is one cell times 1 plus zeros, so it is exact as long as all cells are finite.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnndsl.interop.onnx.values import View, moves_alike
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.padding import Padding
from cnndsl.types import TensorType

FloatArray = NDArray[np.float32]
Filter = tuple[Conv | ConvTranspose, FloatArray]
"""An operator without a bias, and its weight."""


def to_space(maps: int, block: int, *, maps_first: bool) -> Filter:
    """
    Each `block` x `block` of the result's cells from as many maps: ONNX's DepthToSpace.

    The maps that make a block follow each other where `maps_first` (CRD), else they are `maps`
    apart (DCR).
    """
    op = ConvTranspose(maps, (block, block), (block, block), Padding("valid"), bias=False)
    return op, _weight(maps, block, maps_first)


def to_depth(maps: int, block: int, *, maps_first: bool) -> Filter:
    """The other way round: ONNX's SpaceToDepth of that many maps."""
    op = Conv(maps * block**2, (block, block), (block, block), Padding("valid"), bias=False)
    return op, _weight(maps, block, maps_first)


def find_filter(view: View, type_: TensorType) -> Filter | None:
    """The filter that makes of the view's node an image with the view's cells in their order."""
    for op, weight in _candidates(view.type, type_):
        wide = weight.astype(np.float64)
        if moves_alike(view, lambda cells, op=op, wide=wide: op.evaluate(cells, weight=wide)):
            return op, weight
    return None


def _candidates(old: TensorType, new: TensorType) -> Iterator[Filter]:
    if not (old.is_image and new.is_image):
        return
    (rows, columns), (new_rows, new_columns) = old.height_width, new.height_width
    larger, smaller = new_rows // rows, rows // new_rows
    for maps_first in (False, True):
        if larger > 1 and (rows * larger, columns * larger) == (new_rows, new_columns):
            yield to_space(new.maps, larger, maps_first=maps_first)
        if smaller > 1 and (new_rows * smaller, new_columns * smaller) == (rows, columns):
            yield to_depth(old.maps, smaller, maps_first=maps_first)


def _weight(maps: int, block: int, maps_first: bool) -> FloatArray:
    """`[deep, maps, block, block]`: 1 where a cell of a block of `maps` maps is the deep map."""
    deep = np.arange(maps * block**2)
    if maps_first:
        order = deep.reshape(maps, block, block)
    else:
        order = deep.reshape(block, block, maps).transpose(2, 0, 1)
    return (order[None] == deep[:, None, None, None]).astype(np.float32)
