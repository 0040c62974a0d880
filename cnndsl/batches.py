"""A caller's arrays as the batches that a network reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import InputError
from cnndsl.ops.input import Input

FloatArray = NDArray[np.float32]


def in_order(
    inputs: Sequence[Any], named: Mapping[str, Any], rows: Mapping[str, Input]
) -> tuple[Any, ...]:
    """
    The arguments of a call, one for each input row in its order.

    They stand in that order, or are named by their rows. Raises `InputError` for too many or too
    few, for one that is named twice and for a name that is no input row's.
    """
    names = list(rows)
    given = dict(zip(names, inputs, strict=False))
    for name in named:
        if name not in rows:
            near = get_close_matches(name, names, 1)
            raise InputError(
                f"the network has no input {name!r}; {_listed(names)}",
                code="E604",
                fixes=[f"{near[0]}=..." if near else f"model({', '.join(names)})"],
            )
        if name in given:
            message = f"input {name} is given twice, in its place and by name"
            raise InputError(message, code="E604", fixes=["one of them"])
    given |= named
    if len(inputs) > len(names) or len(given) != len(names):
        found = len(inputs) + len(named)
        raise InputError(
            f"the network reads {len(names)} array{'s' * (len(names) != 1)}, "
            f"and {found} {'is' if found == 1 else 'are'} given; {_listed(names)}",
            code="E604",
            fixes=[f"model({', '.join(names)})"],
        )
    return tuple(given[name] for name in names)


def as_batches(
    inputs: Sequence[Any], rows: Mapping[str, Input]
) -> tuple[tuple[FloatArray, ...], bool]:
    """
    Anything that can safely be read as images, and whether it was one each, without a batch axis.

    Raises `InputError` for shapes and element types that do not fit their rows, and for inputs
    that do not have the same number of images.
    """
    several = len(rows) > 1
    found = [
        _as_batch(x, op, f"the input {name}" if several else "the input")
        for x, (name, op) in zip(inputs, rows.items(), strict=True)
    ]
    batches = tuple(batch for batch, _ in found)
    counts = [None if single else len(batch) for batch, single in found]
    if len(set(counts)) > 1:
        words = ", ".join(
            f"{name} holds {'one image' if count is None else f'a batch of {count}'}"
            for name, count in zip(rows, counts, strict=True)
        )
        raise InputError(
            f"the inputs of a call have the same number of images: {words}",
            code="E604",
            fixes=["x[None] makes a batch of one image"] if None in counts else (),
        )
    return batches, counts[0] is None


def lies_on_device(x: Any) -> bool:
    """Whether an object says that it lies on a GPU; a PyTorch tensor of the host does not."""
    if type(x) is np.ndarray:
        return False
    # DLPack's kinds 2 and 13 are CUDA. The other protocol is asked last: of a tensor that gradients
    # flow through PyTorch does not even say whether it has it.
    if hasattr(x, "__dlpack_device__"):
        return x.__dlpack_device__()[0] in (2, 13)
    return hasattr(x, "__cuda_array_interface__")


def _as_batch(x: Any, op: Input, called: str) -> tuple[FloatArray, bool]:
    """One input as a batch, and whether it was a single image."""
    try:
        array: NDArray[Any] = np.asarray(x)
    except ValueError:
        raise InputError(
            f"{called} is ragged: its images differ in shape",
            fixes=["cnndsl.preprocess(pictures, model) fits them", "a call for each image"],
        ) from None
    if array.dtype.kind not in "fiub":
        raise _no_numbers(x, array.dtype, called)
    if array.dtype.kind in "iu" and (op.range or op.mean or op.std):
        raise InputError(
            f"{called} holds {array.dtype}, and the input row says how pixels are scaled",
            code="E602",
            fixes=["cnndsl.preprocess(pictures, network) scales them; or pass scaled floats"],
        )
    shape = op.array_shape
    single = array.shape == shape
    if single:
        array = array[None]
    if array.shape[1:] != shape:
        raise InputError(
            f"{called}'s shape is {list(array.shape)}, and the network reads "
            f"[n, {', '.join(map(str, shape))}] ({op.layout})",
            fixes=_shape_fixes(array.shape, shape, op),
        )
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(array, np.float32), single
    except FloatingPointError:
        message = f"{called} has numbers that are too large for float32"
        raise InputError(message, code="E602", fixes=["scaled numbers"]) from None


def _no_numbers(x: Any, dtype: np.dtype[Any], called: str) -> InputError:
    """The error of what is no array of numbers: what it is, and how one is made of it."""
    if x is None:
        what, fix = "is None", "an array"
    elif dtype.kind in "US" or isinstance(x, os.PathLike):
        what, fix = "is a text", "read a picture's file first, into an array of uint8"
    elif isinstance(x, Mapping):
        what, fix = "is a mapping", "model(**x) passes an array for each input"
    elif isinstance(x, Iterator):
        what, fix = "is an iterator", "np.stack(list(x)) makes a batch of its images"
    elif dtype.kind == "c":
        what, fix = f"holds {dtype}", "x.real, or abs(x)"
    elif isinstance(x, np.ndarray | Sequence):
        what, fix = f"holds {dtype}", "x.astype(np.float32), if its elements are numbers"
    else:
        what, fix = f"is a value of type {type(x).__name__}", "an array of numbers"
    return InputError(f"{called} {what}, and the network reads float32", code="E602", fixes=[fix])


def _shape_fixes(found: tuple[int, ...], wanted: tuple[int, ...], op: Input) -> list[str]:
    other = (wanted[2], *wanted[:2]) if op.layout == "nhwc" else (*wanted[1:], wanted[0])
    if found[1:] == other:
        axes = "0, 2, 3, 1" if op.layout == "nhwc" else "0, 3, 1, 2"
        there = "nchw" if op.layout == "nhwc" else "nhwc"
        return [f"x.transpose({axes}), or layout={there} in the input row"]
    if found == other:
        axes = "1, 2, 0" if op.layout == "nhwc" else "2, 0, 1"
        return [f"x.transpose({axes})"]
    if op.maps == 1 and found[-2:] == tuple(op.size) and len(found) in (2, 3):
        return [
            "x[..., None] adds the axis of maps" if op.layout == "nhwc" else "x[..., None, :, :]"
        ]
    one = ", ".join(map(str, wanted))
    if found and (found[-1] == prod(wanted) or found[-len(wanted) :] == wanted):
        return [f"x.reshape(-1, {one})"]
    if op.fit is not None and len(found) in (3, 4):
        return ["cnndsl.preprocess(pictures, model) fits pictures of any size, uint8 [h, w, c]"]
    return [f"one image is [{one}], a batch [n, {one}]; another size stands in the input row"]


def _listed(names: Sequence[str]) -> str:
    return f"its input{'s are' if len(names) > 1 else ' is'} {', '.join(names)}"
