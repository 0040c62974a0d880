"""
PyTorch's `.pt` and `.pth` files, read by PyTorch's own loader of plain tensors.

Such a file is a pickle, which could run code; `weights_only=True` refuses all but tensors and
containers of them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from cnndsl.errors import MissingExtra
from cnndsl.interop.foreign.layers import FloatArray, ForeignWeights, layers_of, unreadable

_CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "module", "weights", "net")
"""What trainers call the weights in a checkpoint that holds more than them."""


def read_pytorch(path: Path) -> ForeignWeights:
    """
    The layers of a state dict, or of a checkpoint that has one.

    Raises `WeightsError`, and `MissingExtra` without torch.
    """
    torch = _torch()
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from None
    except Exception:
        # torch raises pickle's, zipfile's and its own errors, of no common class.
        if not _is_saved(path):
            raise unreadable(path, "it is no file of PyTorch's, or it is damaged") from None
        raise unreadable(
            path,
            "it holds more than tensors, and reading that would run code from the file",
            "torch.save(model.state_dict(), PATH) where the model is at hand",
        ) from None
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


def _is_saved(path: Path) -> bool:
    """Whether `torch.save` can have written it: a zip file, or before version 1.6 a pickle."""
    with path.open("rb") as file:
        return file.read(1) == b"\x80" or zipfile.is_zipfile(path)


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
