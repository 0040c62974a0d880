"""What `cnndsl verify` holds a network to: the definitions, PyTorch, or an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.reference.evaluate import (
    Evaluator,
    by_definition,
    evaluate,
    evaluate_all,
)
from cnndsl.compiler import Compilation
from cnndsl.errors import InputError
from cnndsl.exchange import from_onnx
from cnndsl.interop.onnx.running import run_onnx_file
from cnndsl.interop.torch_operators import evaluate_by_torch, torch_module
from cnndsl.ir.counterparts import counterparts
from cnndsl.ir.signature import Signature
from cnndsl.model import Model
from cnndsl.ops.base import Array
from cnndsl.types import Layout, f32

Inputs = tuple[NDArray[np.float32], ...]
"""A batch for each input of a network, in their order and their layouts."""

REFERENCE, TORCH, ONNX = "reference", "torch", ".onnx"
"""What can be named: two words, and how a file's name ends."""


@dataclass(frozen=True)
class Expectation:
    """
    What a model should compute for a batch, all channels last.

    `values` are those of the rewritten graph's nodes, by name; what is not in it has no counterpart
    in what is compared with, whose rows `counterparts` names. `outputs` are the network's, of the
    table as it is written. `said_by` says who computed them.
    """

    values: Mapping[str, Array]
    outputs: tuple[NDArray[Any], ...]
    said_by: str
    counterparts: Mapping[str, str] = field(default_factory=dict[str, str])


def expectation(against: str, model: Model, inputs: Inputs) -> Expectation:
    """
    What `against`, one of the words or an ONNX file, expects of a model for a batch.

    Raises a `CnnError` for a file that cannot be read or that takes or gives other arrays, and
    `MissingExtra` where a package is needed.
    """
    images = [
        channels_last(x, op.layout)
        for x, op in zip(inputs, model.signature.inputs.values(), strict=True)
    ]
    if against == REFERENCE:
        return _evaluated(model, images, by_definition, "the definitions in float64")
    if against == TORCH:
        version = torch_module().__version__
        return _evaluated(model, images, evaluate_by_torch, f"PyTorch {version} in float64")
    return _imported(Path(against), model, images)


def compilation_of(model: Model) -> Compilation:
    """The stages that a model went through."""
    return Compilation(model.network, model.target, model.options)


def channels_last(x: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Images that lie in `layout` as `[n, h, w, c]`; vectors as they are."""
    return x.transpose(0, 2, 3, 1) if layout == "nchw" and x.ndim == 4 else x


def _evaluated(
    model: Model, images: list[NDArray[Any]], evaluator: Evaluator, said_by: str
) -> Expectation:
    graph = compilation_of(model).graph
    return Expectation(
        evaluate_all(graph, model.weights, images, evaluator),
        evaluate(model.network.ir, model.weights, images, evaluator),
        said_by,
    )


def _imported(path: Path, model: Model, images: list[NDArray[Any]]) -> Expectation:
    """
    An ONNX model's values, row by row.

    What its rows compute is evaluated by the definitions; the outputs come from a runtime of ONNX.
    """
    other = from_onnx(path)
    _check_ends(path, model.signature, other.network.signature)
    # What goes through the same passes is compared: a target fuses sums into rows.
    theirs = Compilation(other.network, model.target, model.options).graph
    mine = compilation_of(model).graph
    values = evaluate_all(theirs, other.weights, images)
    own = evaluate_all(mine, model.weights, images)

    def distance(name: str, their: str) -> float:
        return float(np.abs(own[name].ravel() - values[their].ravel()).max())

    pairs = counterparts(mine, theirs, distance)
    rows = {node.name: node.row for node in theirs.nodes}
    ends = other.network.signature
    given = [
        np.moveaxis(x, -1, 1) if op.layout == "nchw" else x
        for x, op in zip(images, ends.inputs.values(), strict=True)
    ]
    outputs, runtime = run_onnx_file(path, given)
    return Expectation(
        {name: values[their] for name, their in pairs.items()},
        tuple(channels_last(y, ends.layout) for y in outputs),
        f"{path} in {runtime}",
        {name: rows[their] for name, their in pairs.items()},
    )


def _check_ends(path: Path, mine: Signature, theirs: Signature) -> None:
    """Raise `InputError` unless both take images of the same sizes and give as many numbers."""
    for verb, ours, others in (
        ("reads", _reads(mine), _reads(theirs)),
        ("gives", _gives(mine), _gives(theirs)),
    ):
        if ours != others:
            words = [" and ".join(found) for found in (ours, others)]
            raise InputError(
                f"the network {verb} {words[0]}, and {path} {verb} {words[1]}", code="E604"
            )


def _reads(signature: Signature) -> list[str]:
    return [f32(*op.size, op.maps).describe() for op in signature.inputs.values()]


def _gives(signature: Signature) -> list[str]:
    return [f"{output.type.size} numbers" for output in signature.outputs.values()]
