"""
A layer table in, a fast network out.

>>> import cnndsl
>>> net = cnndsl.parse("alexnet")
>>> f"{net.params:,} parameters"
'62,378,344 parameters'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnndsl.api import compile, parse
    from cnndsl.errors import CnnError, Diagnostic
    from cnndsl.exchange import ImportedNetwork, convert_weights, from_darknet, from_onnx, to_onnx
    from cnndsl.ir.network import Network
    from cnndsl.limits import Limits
    from cnndsl.loading import load
    from cnndsl.model import Model
    from cnndsl.pictures import preprocess

__version__ = "0.1.0"

__all__ = [
    "CnnError",
    "Diagnostic",
    "ImportedNetwork",
    "Limits",
    "Model",
    "Network",
    "compile",
    "convert_weights",
    "from_darknet",
    "from_onnx",
    "load",
    "parse",
    "preprocess",
    "to_onnx",
]

_HOMES = {
    "CnnError": "cnndsl.errors",
    "Diagnostic": "cnndsl.errors",
    "ImportedNetwork": "cnndsl.exchange",
    "Limits": "cnndsl.limits",
    "Model": "cnndsl.model",
    "Network": "cnndsl.ir.network",
    "compile": "cnndsl.api",
    "convert_weights": "cnndsl.exchange",
    "from_darknet": "cnndsl.exchange",
    "from_onnx": "cnndsl.exchange",
    "load": "cnndsl.loading",
    "parse": "cnndsl.api",
    "preprocess": "cnndsl.pictures",
    "to_onnx": "cnndsl.exchange",
}


def __getattr__(name: str) -> Any:
    # Names are imported when they are asked for: a process that only runs a compiled model spares
    # the parser and the graph library, half of its start.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cnndsl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # where Python looks for what a misspelt name means
