"""Pictures as the arrays that a network reads, by what its input row says."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import InputError
from cnndsl.ir.signature import Signature
from cnndsl.ops.input import Input
from cnndsl.ops.kinds import Pair

FloatArray = NDArray[np.float32]

# ITU-R BT.601, as in every JPEG: the grey of a colour.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class ReadsPictures(Protocol):
    """A network or a model: what has input rows."""

    @property
    def signature(self) -> Signature:
        """Its input rows' operators."""
        ...


def preprocess(pictures: Any, network: ReadsPictures, *, row: str | None = None) -> FloatArray:
    """
    Pictures as one batch for `network`, float32 in its input row's layout.

    `row` names the input row, where there are several.

    `pictures` is one picture or several, also of different sizes: uint8 arrays `[h, w]`,
    `[h, w, 1]` or, as RGB, `[h, w, 3]`. Each is turned grey or coloured as the network has maps
    (grey is 0.299 R + 0.587 G + 0.114 B), made to fit by the input row's `fit`, its 0..255 mapped
    to `range`, and then `(value - mean) / std` is taken map by map.
    Raises `InputError` where the input row does not say what a picture needs.
    """
    op = network.signature.input if row is None else _input_row(row, network.signature)
    check_input_row(op)
    batch = np.stack([_prepared(picture, op) for picture in _separate(pictures)])
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if op.layout == "nchw" else batch)


def _input_row(name: str, signature: Signature) -> Input:
    if name not in signature.inputs:
        names = ", ".join(signature.inputs)
        raise InputError(f"the network has no input {name!r}; it has {names}", code="E604")
    return signature.inputs[name]


def check_input_row(op: Input) -> None:
    """Raise `InputError` where an input row does not say how any picture becomes an array."""
    if op.range is None:
        raise InputError(
            "the input row does not say which numbers a picture's 0..255 becomes",
            code="E603",
            fixes=["range=0..1, or range=-1..1 or range=0..255, as the weights were trained"],
        )
    if op.maps not in (1, 3):
        raise InputError(
            f"the network reads {op.maps} maps, and a picture has 1 (grey) or 3 (colour)",
            code="E603",
            fixes=["pass arrays of floats"],
        )


def _separate(pictures: Any) -> list[NDArray[np.uint8]]:
    """Pictures one by one as `[h, w, 1 or 3]`."""
    if isinstance(pictures, str | bytes | os.PathLike):
        several: Iterable[Any] = [os.fspath(pictures)]
    elif isinstance(pictures, np.ndarray):
        array = cast("NDArray[Any]", pictures)
        single = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))
        several = [array] if single else array
    else:
        several = pictures
    found = [_picture(np.asarray(picture)) for picture in several]
    if not found:
        raise InputError("there are no pictures", code="E603")
    return found


def _picture(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype.kind in "US":
        raise InputError(
            "a picture is an array of uint8, and this is a text",
            code="E602",
            fixes=["np.asarray(PIL.Image.open(path)) reads a picture's file"],
        )
    if array.dtype != np.uint8:
        raise InputError(
            f"a picture's cells are uint8, 0..255, and these are {array.dtype}",
            code="E602",
            fixes=["floats that are scaled already go to the model itself"],
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise InputError(
            f"{list(array.shape)} is no picture: [h, w], [h, w, 1] or [h, w, 3]", code="E603"
        )
    return array


def _prepared(picture: NDArray[np.uint8], op: Input) -> FloatArray:
    """One picture as `[h, w, c]`."""
    x = _fitted(_with_maps(picture.astype(np.float32), op), op)
    assert op.range is not None
    low, high = op.range
    x = low + x * np.float32((high - low) / 255)
    if op.mean is not None:
        x = x - np.array(op.mean, np.float32)
    if op.std is not None:
        x = x / np.array(op.std, np.float32)
    return x.astype(np.float32, copy=False)


def _with_maps(x: FloatArray, op: Input) -> FloatArray:
    """The picture grey or in colour, as the network has maps."""
    if op.maps == 1:
        return x if x.shape[2] == 1 else (x @ _LUMA)[..., None]
    colour = x if x.shape[2] == 3 else np.repeat(x, 3, 2)
    return colour[..., ::-1] if op.channels == "bgr" else colour


def _fitted(x: FloatArray, op: Input) -> FloatArray:
    """
    The picture in the network's size.

    `stretch` ignores proportions; `crop` takes the largest part of the picture's middle that has
    the size's proportions; `pad` puts the whole picture in the middle of black, made smaller where
    it is larger than the size, but never enlarged.
    """
    found, wanted = (x.shape[0], x.shape[1]), op.size
    if found == wanted:
        return x
    if op.fit is None:
        raise InputError(
            f"the picture is {found[0]}x{found[1]}, the network reads {wanted[0]}x{wanted[1]}, "
            "and the input row does not say how to fit it",
            code="E603",
            fixes=["fit=stretch, fit=crop or fit=pad in the input row"],
        )
    if op.fit == "crop":
        x = _middle(x, _cropped_size(found, wanted))
    elif op.fit == "pad":
        inner = _padded_size(found, wanted)
        return _padded(x if inner == found else resized(x, inner), wanted)
    return resized(x, wanted)


@dataclass(frozen=True, slots=True)
class Placement:
    """
    Where a network's input lies in the picture that was made to fit it, as (rows, columns).

    The input's place p, counted in its cells from its top left corner, is the picture's place
    `start + p * scale`, counted in the picture's.
    """

    start: tuple[float, float]
    scale: tuple[float, float]


def placement(size: Pair, op: Input) -> Placement:
    """
    What `preprocess` does to the places of a picture of that height and width.

    >>> placement((200, 100), Input(3, (50, 50), fit="pad"))
    Placement(start=(0.0, -48.0), scale=(4.0, 4.0))
    """
    if op.fit == "pad":
        inner = _padded_size(size, op.size)
        scale = _ratios(size, inner)
        margins = [(want - have) // 2 for want, have in zip(op.size, inner, strict=True)]
        return Placement((-margins[0] * scale[0], -margins[1] * scale[1]), scale)
    taken = _cropped_size(size, op.size) if op.fit == "crop" else size
    starts = [(have - take) // 2 for have, take in zip(size, taken, strict=True)]
    return Placement((float(starts[0]), float(starts[1])), _ratios(taken, op.size))


def _ratios(size: Pair, other: Pair) -> tuple[float, float]:
    return size[0] / other[0], size[1] / other[1]


def _cropped_size(found: Pair, wanted: Pair) -> Pair:
    """The largest part of a picture that has the proportions that are wanted, at least a cell."""
    ratio = max(_ratios(wanted, found))
    height, width = (
        max(1, min(round(side / ratio), have)) for side, have in zip(wanted, found, strict=True)
    )
    return height, width


def _padded_size(found: Pair, wanted: Pair) -> Pair:
    """A whole picture's size in what is wanted: made smaller where it must be, never larger."""
    ratio = min(1.0, *_ratios(wanted, found))
    return max(1, round(found[0] * ratio)), max(1, round(found[1] * ratio))


def _middle(x: FloatArray, size: Pair) -> FloatArray:
    """The part of that size with equal margins; an odd one is at the end."""
    height, width = size
    top, left = (x.shape[0] - height) // 2, (x.shape[1] - width) // 2
    return x[top : top + height, left : left + width]


def _padded(x: FloatArray, size: Pair) -> FloatArray:
    """Black on both sides; an odd row or column of it is at the end."""
    y = np.zeros((*size, x.shape[2]), np.float32)
    top, left = (size[0] - x.shape[0]) // 2, (size[1] - x.shape[1]) // 2
    y[top : top + x.shape[0], left : left + x.shape[1]] = x
    return y


def resized(x: FloatArray, size: Pair) -> FloatArray:
    """
    `x[h, w, c]` in another size, by a triangle filter as wide as what a new cell covers.

    That is bilinear interpolation where a picture grows and an anti-aliased mean where it shrinks,
    as Pillow's BILINEAR computes it, without rounding to whole numbers.
    """
    rows = _triangle_filter(x.shape[0], size[0])
    columns = _triangle_filter(x.shape[1], size[1])
    return np.einsum("ih,hwc,jw->ijc", rows, x, columns, optimize=True)


def _triangle_filter(old: int, new: int) -> FloatArray:
    """How much each old cell counts for each new one: `[new, old]`, rows adding up to 1."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(0.0, 1.0 - distances)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
