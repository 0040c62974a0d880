"""Files of weights from elsewhere, told apart by their name's ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cnndsl.errors import WeightsError
from cnndsl.interop.foreign.keras import read_keras
from cnndsl.interop.foreign.layers import ForeignWeights
from cnndsl.interop.foreign.npz import read_npz
from cnndsl.interop.foreign.pytorch import read_pytorch
from cnndsl.interop.foreign.safetensors import read_safetensors

READERS: Mapping[str, Callable[[Path], ForeignWeights]] = {
    ".safetensors": read_safetensors,
    ".pt": read_pytorch,
    ".pth": read_pytorch,
    ".keras": read_keras,
    ".h5": read_keras,
    ".npz": read_npz,
}


def read_foreign(path: Path) -> ForeignWeights:
    """
    The layers of a file.

    Raises `WeightsError` where it cannot be read, `MissingExtra` where a package is needed for it.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise WeightsError(
            f"cannot read the weights in {path}: no format ends in {path.suffix or 'nothing'!r}",
            code="E402",
            fixes=[f"one of {', '.join(READERS)}; Darknet's .weights go with --cfg"],
        )
    return reader(path)
