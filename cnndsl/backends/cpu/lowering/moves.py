"""Operators that take cells from other places, or between them: pad, slice, shuffle, ..."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.copy import lower_copy
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.gather import OUTSIDE, lower_gather, lower_gather_cells
from cnndsl.backends.cpu.lowering.resample import lower_resample
from cnndsl.ops.concat import Concat
from cnndsl.ops.pad import Pad
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.plan.plan import NO_HALO, Buffer
from cnndsl.types import f32


def lower_pad(op: Pad, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """Cells around an image."""
    height, width, maps = x.image
    rows, columns = (
        _padded(op.mode, size, sides)
        for size, sides in zip((height, width), op.padding, strict=True)
    )
    return lower_gather(x, y, epilogue, (rows, columns, range(maps)), op.value or 0.0)


def _padded(mode: str, size: int, sides: tuple[int, int]) -> list[int]:
    """For each place along a padded axis the place in the image, or outside."""
    places = range(-sides[0], size + sides[1])
    if mode == "edge":
        return [min(max(place, 0), size - 1) for place in places]
    if mode == "reflect":
        return [size - 1 - abs(size - 1 - abs(place)) for place in places]
    return [place if 0 <= place < size else OUTSIDE for place in places]


def lower_slice(op: Slice, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """Some rows, columns and maps of an image; some features of a vector."""
    *image, maps = op.places(f32(*x.shape))
    rows, columns = image or (range(1), range(1))
    return lower_gather(x, y, epilogue, (rows, columns, maps))


def lower_shuffle(op: Shuffle, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """The maps of groups, dealt out in turn."""
    height, width, maps = x.image
    places = np.arange(maps).reshape(op.groups, -1).T.reshape(-1)
    return lower_gather(x, y, epilogue, (range(height), range(width), places.tolist()))


def lower_resize(op: Resize, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """An image of another size, by its nearest cells or by those around."""
    (height, width, maps), (rows, columns, _) = x.image, y.image
    sampling = op.sampling(f32(*x.shape))
    down, across = sampling.taps(height, rows), sampling.taps(width, columns)
    if op.mode == "bilinear":
        return lower_resample(down, across, x, y, epilogue)
    # A place that is rounded is a cell's: the one behind it has no share.
    places = down[0].tolist(), across[0].tolist(), range(maps)
    return lower_gather(x, y, epilogue, places)


def lower_reshape(op: Reshape, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """The same cells in another shape."""
    if op.order == "hwc" and x.halo == y.halo == NO_HALO:
        return lower_copy(replace(x, shape=y.shape), y, epilogue)
    # The operator itself says where each cell goes: it is shown where they are.
    places = op.evaluate(_offsets(x).reshape(1, *x.shape).astype(np.float64))
    return lower_gather_cells(x, y, epilogue, places.astype(np.int64))


def _offsets(x: Buffer) -> NDArray[np.int64]:
    """Where each cell of an image lies, in floats from its first cell."""
    height, width, maps = x.image
    rows, columns, cells = np.ogrid[:height, :width, :maps]
    return rows * x.row_stride + columns * x.pixel_stride + cells * x.map_stride


def lower_concat(
    op: Concat, operands: tuple[Buffer, ...], y: Buffer, epilogue: Epilogue
) -> list[Lowered]:
    """Each operand to its own place in y."""
    stride, side = {
        "height": (y.row_stride, 0),
        "width": (y.pixel_stride, 1),
        "maps": (y.map_stride, 2),
    }[op.axis]
    lowered: list[Lowered] = []
    before = 0
    for x in operands:
        lowered.append(lower_copy(x, y, epilogue, before * stride))
        before += x.image[side]
    return lowered
