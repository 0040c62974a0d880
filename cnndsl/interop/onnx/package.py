"""The onnx package, imported when it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cnndsl.errors import MissingExtra


def onnx_module(name: str = "onnx") -> Any:
    """
    The package, or one of its modules. Raises `MissingExtra` where it is not installed.

    Its messages are protobufs, whose fields no checker knows: this is the border where they are
    `Any`.
    """
    try:
        return import_module(name)
    except ImportError:
        raise MissingExtra(
            "ONNX files need the package onnx", fixes=["pip install 'cnndsl[onnx]'"]
        ) from None
