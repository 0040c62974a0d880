"""ONNX models run by others, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.interop.onnx.package import onnx_module


def run_onnx_file(
    path: Path, inputs: Sequence[NDArray[np.float32]]
) -> tuple[tuple[NDArray[Any], ...], str]:
    """
    A model's outputs for its inputs in order, and what ran it.

    That is ONNX Runtime where it is installed, else the evaluator of the onnx package, which is
    slow. Raises `MissingExtra` without that package.
    """
    onnx = onnx_module()
    arrays = [np.ascontiguousarray(x, np.float32) for x in inputs]
    try:
        runtime: Any = import_module("onnxruntime")
    except ImportError:
        evaluator = onnx_module("onnx.reference").ReferenceEvaluator(str(path))
        outputs = evaluator.run(None, dict(zip(evaluator.input_names, arrays, strict=False)))
        return tuple(outputs), f"onnx {onnx.__version__}"
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    outputs = session.run(None, dict(zip(names, arrays, strict=True)))
    return tuple(outputs), f"ONNX Runtime {runtime.__version__}"
