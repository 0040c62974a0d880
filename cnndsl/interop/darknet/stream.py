"""Darknet's `.weights`: a header, and floats in the order of the sections."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import WeightsError
from cnndsl.files import unreadable
from cnndsl.interop.darknet.builder import Slot
from cnndsl.interop.darknet.sections import EPSILON

FloatArray = NDArray[np.float32]


def read_stream(path: Path, slots: Sequence[Slot]) -> dict[str, FloatArray]:
    """
    The parameters by full name. Raises `WeightsError` where the file has more or fewer numbers.

    The header has three numbers of the version and how many images were seen in training: 8 bytes
    from version 0.2 on, 4 before.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) < 16:
        raise _unreadable(path, "it is too short to be a Darknet file")
    major, minor = (int(number) for number in np.frombuffer(content, "<i4", 2))
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise _unreadable(
            path, "it has no header of Darknet's, or its dense weights are transposed"
        )
    header = 20 if major * 10 + minor >= 2 else 16
    needed = sum(prod(slot.shape) for slot in slots)
    if len(content) - header != 4 * needed:
        found = (len(content) - header) / 4
        raise _unreadable(
            path, f"it has {found:,.0f} numbers, and the sections of the .cfg need {needed:,}"
        )
    numbers = np.frombuffer(content, "<f4", offset=header)
    arrays: dict[str, FloatArray] = {}
    begin = 0
    for slot in slots:
        count = prod(slot.shape)
        array = numbers[begin : begin + count].reshape(slot.shape)
        if slot.recipe == "variance":
            if (array < 0).any():
                raise _unreadable(
                    path,
                    f"the variances of {slot.node} would be below 0: the .cfg is another network's",
                )
            array = _under_the_root(array)
        arrays[slot.name] = array
        begin += count
    return arrays


def _under_the_root(variance: FloatArray) -> FloatArray:
    """
    The variance to which epsilon is added under the root.

    Darknet divides by `sqrt(variance) + epsilon`, and a row by `sqrt(variance + epsilon)`.
    """
    deviation = np.sqrt(variance.astype(np.float64)) + EPSILON
    return (deviation**2 - EPSILON).astype(np.float32)


def _unreadable(path: Path, reason: str) -> WeightsError:
    return WeightsError(f"cannot read the weights in {path}: {reason}", code="E402")
