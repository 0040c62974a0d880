"""
PyTorch's `.pt` and `.pth` files, read by PyTorch's own loader of plain tensors.

Such a file is a pickle, which could run code; `weights_only=True` refuses all but tensors and
containers of them.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from cnndsl.errors import MissingExtra, WeightsError
from cnndsl.files import reason_of
from cnndsl.interop.foreign.archives import UNREADABLE, require_unpackable
from cnndsl.interop.foreign.layers import FloatArray, ForeignWeights, layers_of, unreadable

_CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "module", "weights", "net")
"""What trainers call the weights in a checkpoint that holds more than them."""

_LONGEST_PICKLES = 64 * 2**20
"""Bytes of an old file in which the description of its tensors must end."""


def read_pytorch(path: Path) -> ForeignWeights:
    """
    The layers of a state dict, or of a checkpoint that has one.

    Raises `WeightsError`, and `MissingExtra` without torch.
    """
    torch = _torch()
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise unreadable(path, reason_of(error)) from None
    except Exception as error:
        # torch raises pickle's, zipfile's and its own errors, of no common class.
        raise _refusal(path, error) from None
    tensors = _tensors(found, torch)
    if not tensors:
        raise unreadable(path, "it holds no tensors by name")
    floats: dict[str, FloatArray] = {
        name: tensor.detach().float().numpy()
        for name, tensor in tensors.items()
        if tensor.is_floating_point()
    }
    layers = layers_of(str(path), floats)
    others = tuple(name for name in tensors if name not in floats)
    return ForeignWeights(layers.origin, layers.layers, layers.listed, "pytorch", others)


def _tensors(found: Any, torch: Any) -> dict[str, Any]:
    """The state dict in what was loaded: itself, or the first of the well-known entries."""
    if not isinstance(found, Mapping):
        return {}
    entries = cast("Mapping[Any, Any]", found)
    tensors = {
        str(name): value for name, value in entries.items() if isinstance(value, torch.Tensor)
    }
    if tensors:
        return tensors
    for key in _CHECKPOINT_KEYS:
        inner = _tensors(entries.get(key), torch)
        if inner:
            return inner
    return {}


def _refusal(path: Path, error: Exception) -> WeightsError:
    """Why PyTorch's loader has refused a file, as far as its pickles say when none is executed."""
    again = "torch.save(model.state_dict(), PATH) where the model is at hand"
    try:
        whole = _pickles_are_whole(path)
    except (*UNREADABLE, NotImplementedError):
        return unreadable(path, "it is no file of PyTorch's, or it is damaged", again)
    if "TorchScript" in str(error):
        return unreadable(path, "it is a program of TorchScript, not its weights alone", again)
    if whole and isinstance(error, pickle.UnpicklingError):
        reason = "it holds more than tensors, and reading that would run code from the file"
        return unreadable(path, reason, again)
    return unreadable(path, "it is damaged", again)


def _pickles_are_whole(path: Path) -> bool:
    """
    Whether what describes the tensors can be read to its end.

    That is one pickle in a zip file, and before PyTorch 1.6 the first four of the file. Raises what
    reading other files raises.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            require_unpackable(path, archive)
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            text = archive.read(names[0])
        streams = [io.BytesIO(text)]
    else:
        with path.open("rb") as file:
            if file.read(1) != b"\x80":
                raise ValueError("not a pickle")
            file.seek(0)
            streams = [io.BytesIO(file.read(_LONGEST_PICKLES))] * 4
    try:
        for stream in streams:
            for _ in pickletools.genops(stream):
                pass
    except (ValueError, LookupError, OverflowError):
        return False
    return True


def _torch() -> Any:
    """The package. Raises `MissingExtra` where it is not installed."""
    try:
        return import_module("torch")
    except ImportError:
        raise MissingExtra(
            "PyTorch's files need the package torch",
            fixes=[
                "pip install 'cnndsl[torch]'",
                "safetensors.torch.save_file(model.state_dict(), PATH) where torch is",
            ],
        ) from None
