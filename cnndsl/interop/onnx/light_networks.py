"""
The real networks of ONNX's own backend suite, with seeded random weights in their topologies.

The stored weights are constants, so that all outputs are one number, which a broken convolution
passes as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.interop.onnx.package import onnx_module

FloatArray = NDArray[np.float32]


def light_folder() -> Path:
    """Where the installed onnx package has the networks."""
    return Path(onnx_module().__file__).parent / "backend" / "test" / "data" / "light"


def light_names() -> list[str]:
    """The networks: `light_resnet50` and so on."""
    return sorted(path.stem for path in light_folder().glob("light_*.onnx"))


def seeded_light_network(name: str, seed: int) -> Any:
    """
    The `onnx.ModelProto` with random weights, and without the softmax at its end.

    A softmax turns any large outputs into zeros and ones: what comes before it says more.
    """
    model = onnx_module().load(str(light_folder() / f"{name}.onnx"))
    numpy_helper = onnx_module("onnx.numpy_helper")
    rng = np.random.default_rng(seed)
    graph = model.graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    unsqueezed = {n.input[0]: n.output[0] for n in graph.node if n.op_type == "Unsqueeze"}
    roles = {
        value: (node.op_type, place)
        for node in graph.node
        for place, value in enumerate(node.input)
    }
    kept: list[Any] = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        result: str = node.output[0]
        shape = tuple(int(side) for side in stored[node.input[0]])
        array = _drawn(rng, shape, *roles[unsqueezed.get(result, result)])
        graph.initializer.append(numpy_helper.from_array(array, result))
    if kept[-1].op_type == "Softmax":
        graph.output[0].name = kept.pop().input[0]
    images = [value for value in graph.input if value.name not in stored]
    read = {name for node in kept for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in read]
    for field, values in ((graph.node, kept), (graph.input, images), (graph.initializer, weights)):
        del field[:]
        field.extend(values)
    # From this version on, weights need not be listed among the inputs.
    model.ir_version = 4
    return model


def _drawn(
    rng: np.random.Generator, shape: tuple[int, ...], op_type: str, place: int
) -> FloatArray:
    """Numbers for one input of an operator that keep activations of about the same size."""
    factors = op_type == "Mul" or (op_type == "BatchNormalization" and place in (1, 4))
    if factors:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    filters = place == 1 and op_type in ("Conv", "Gemm")
    scale = np.sqrt(2 / np.prod(shape[1:])) if filters else 0.1
    return (scale * rng.standard_normal(shape)).astype(np.float32)
