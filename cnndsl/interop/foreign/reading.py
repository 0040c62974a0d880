"""Files of weights from elsewhere, told apart by their name's ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cnndsl.errors import WeightsError
from cnndsl.files import unreadable
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

    Raises `FileError` where it cannot be opened, `WeightsError` where it cannot be read, and
    `MissingExtra` where a package is needed for it.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise unreadable(path, error) from None
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise WeightsError(
            f"cannot read the weights in {path}: {_unknown(path.suffix)}",
            code="E402",
            fixes=[f"one of {', '.join(READERS)}; Darknet's .weights go with --cfg"],
        )
    return reader(path)


def _unknown(suffix: str) -> str:
    return (
        f"no format of weights ends in {suffix}" if suffix else "its name does not say its format"
    )
