"""
A model for the inputs of one call.

ONNX lets any value be an input of a model, weights and shapes too, and its own test cases do so. A
table's inputs are images: what else goes into a call is constant for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cnndsl.interop.onnx.reading import Array, Facts, ModelFacts, OnnxError

_WORDS = """
BatchNormalization Clip Conv ConvTranspose Dropout Gemm GroupNormalization InstanceNormalization
LayerNormalization MatMul PRelu Pad ReduceMax ReduceMean Reshape Resize Slice Split Squeeze
Unsqueeze Upsample
"""
_FIRST_ONLY = frozenset(_WORDS.split())
"""The operators of which only the first input may be computed; of the others all may."""


def specialised(model: ModelFacts, feeds: Mapping[str, Array], *, several: bool) -> ModelFacts:
    """
    The model with the shapes of the inputs in `feeds`, and with those that are no images constant.

    Where there may be `several` images, those are that have as many axes as the first.

    Raises `OnnxError` where no image is left, and for images of other floats than float32, which
    would be rounded.
    """
    for name, array in feeds.items():
        if array.size == 0 and array.dtype == np.float32:
            raise OnnxError(f"the input {name!r} has no cells")
        if array.dtype != np.float32 and array.dtype.kind not in "biu":
            raise OnnxError(f"the input {name!r} holds {array.dtype}, and rows compute float32")
    images = [name for name, array in feeds.items() if _is_image(name, array, model.nodes)]
    if not images:
        raise OnnxError("no input holds images of float32")
    rank = feeds[images[0]].ndim
    kept = [n for n in images if several and feeds[n].ndim == rank] or images[:1]
    constants = {name: array for name, array in feeds.items() if name not in kept}
    return replace(
        model,
        constants={**model.constants, **constants},
        inputs={name: feeds[name].shape for name in kept},
    )


def _is_image(name: str, array: Array, nodes: tuple[Facts, ...]) -> bool:
    readers = [node for node in nodes if name in node.inputs]
    return array.dtype == np.float32 and any(
        node.op_type not in _FIRST_ONLY or node.inputs[0] == name for node in readers
    )
