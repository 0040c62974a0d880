"""Foreign safetensors files: PyTorch's, timm's and Hugging Face's, with their own names."""

from __future__ import annotations

from pathlib import Path

from cnndsl.interop.foreign.layers import ForeignWeights, layers_of, unreadable
from cnndsl.interop.safetensors_file import open_safetensors


def read_safetensors(path: Path) -> ForeignWeights:
    """The layers of a file, mapped and not copied where it holds float32. Raises `WeightsError`."""
    tensors = open_safetensors(path, lambda reason: unreadable(path, reason)).tensors
    floats = {name: tensor.float32() for name, tensor in tensors.items() if tensor.is_float}
    found = layers_of(str(path), floats)
    others = tuple(name for name, tensor in tensors.items() if not tensor.is_float)
    # The package that writes these files sorts their names: their order says nothing.
    return ForeignWeights(found.origin, found.layers, False, found.layout, others + found.unused)
