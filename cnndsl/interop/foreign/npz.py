"""NumPy's `.npz` files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import WeightsError
from cnndsl.interop.foreign.archives import UNREADABLE, require_unpackable
from cnndsl.interop.foreign.layers import FloatArray, ForeignWeights, layers_of, unreadable

_COUNTED = re.compile(r"arr_\d+")


def read_npz(path: Path) -> ForeignWeights:
    """The layers of a file. Nothing in it is executed. Raises `WeightsError`."""
    try:
        file: Any = np.load(path, allow_pickle=False)
        if isinstance(file, np.ndarray):
            raise unreadable(path, "it holds one array, and no names")
        with file:
            require_unpackable(path, file.zip)
            members: dict[str, Any] = {name: file[name] for name in file.files}
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise unreadable(path, reason or "it is no npz file, or it holds objects") from None
    # NumPy hands out the bytes of what is no array.
    arrays: dict[str, NDArray[Any]] = {
        name: member for name, member in members.items() if isinstance(member, np.ndarray)
    }
    floats: dict[str, FloatArray] = {
        name: array.astype(np.float32, copy=False)
        for name, array in arrays.items()
        if array.dtype.kind == "f"
    }
    if floats and all(_COUNTED.fullmatch(name) for name in floats):
        raise WeightsError(
            f"the arrays of {path} have no names, as numpy.savez(FILE, a, b) leaves them",
            code="E402",
            fixes=[
                "numpy.savez(FILE, **{v.path: v.numpy() for v in model.weights}) in Keras",
                'numpy.savez(FILE, **{"C1.weight": array, "C1.bias": array, ...})',
            ],
        )
    found = layers_of(str(path), floats)
    others = tuple(name for name in members if name not in floats)
    return ForeignWeights(
        found.origin, found.layers, found.listed, found.layout, others + found.unused
    )
