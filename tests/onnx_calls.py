"""What the tests of ONNX files share."""

import numpy as np
import pytest

runtime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")


def run_onnx(model, *arrays):
    """The outputs of an `onnx.ModelProto` in ONNX Runtime, on one thread."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]  # those that no initializer fills
    return session.run(None, dict(zip(names, arrays, strict=True)))


def relative_error(y, expected):
    """The largest error, as a part of the largest expected value."""
    assert y.shape == expected.shape
    largest = np.abs(expected).max(initial=0.0)
    return float(np.abs(y - expected).max(initial=0.0) / (largest or 1.0))
