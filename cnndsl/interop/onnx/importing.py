"""
An ONNX model as a graph of rows, with its weights.

The model's `[n, c, h, w]` becomes our `[n, h, w, c]` inside; the input row says nchw, so that the
network takes the arrays that the model takes. What is constant is computed once, and formulas that
are a function or a normalization are read as such. All that has no row is listed in one error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import cast

import numpy as np

from cnndsl.errors import Diagnostic, Fix
from cnndsl.interop.onnx.building import Builder, FloatArray
from cnndsl.interop.onnx.detours import straightened
from cnndsl.interop.onnx.folding import FOLDABLE, LARGEST, TooLarge, fold
from cnndsl.interop.onnx.idioms import recognised
from cnndsl.interop.onnx.importers import IMPORTERS
from cnndsl.interop.onnx.reading import Array, Facts, ModelFacts, OnnxError
from cnndsl.interop.onnx.refusals import Unsupported, keeping, without_row
from cnndsl.interop.onnx.step import Known, Step
from cnndsl.interop.onnx.values import View, as_image
from cnndsl.ir.graph import Graph
from cnndsl.ops.activation import Activation
from cnndsl.ops.input import Input
from cnndsl.types import f32

_OF_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What inputs and attributes raise that are of another number, type or length than ONNX defines."""


@dataclass(frozen=True)
class Output:
    """
    An output of a model: a node of the graph computes it, or it is constant.

    `shape` is that of one image's part as the model has it.
    """

    name: str
    shape: tuple[int, ...]
    node: str = ""
    constant: Array | None = None


@dataclass(frozen=True)
class Imported:
    """
    A model as a graph whose nodes are rows, and the weights by the rows' names.

    `inputs` are the rows of the model's inputs, but for those that nothing computed reads.
    `outputs` are all of the model's, in its order; the graph's are the computed ones, each once.
    """

    graph: Graph
    weights: Mapping[str, FloatArray]
    inputs: Mapping[str, str]
    outputs: tuple[Output, ...]


def import_model(model: ModelFacts, *, batched: bool = True) -> Imported:
    """
    The model as a graph. Raises `OnnxError` that lists everything that has no row.

    Where it is not `batched`, all that goes into the model at once is one image.
    """
    return _Import(recognised(straightened(model)), batched).run()


class _Import:
    """One model being read."""

    def __init__(self, model: ModelFacts, batched: bool) -> None:
        self.model = model
        self.batched = batched
        self.builder = Builder()
        self.known: dict[str, Known] = dict(model.constants)
        self.uses = Counter(name for node in model.nodes for name in node.inputs)
        self.uses.update(model.outputs)
        self.read = frozenset(self.uses)
        self.problems: list[Diagnostic] = []
        self.lead: tuple[int, ...] = ()
        self.inputs: dict[str, str] = {}
        self.folded = 0

    def run(self) -> Imported:
        self._read_inputs()
        for facts in self.model.nodes:
            self._read(facts)
        if self.problems:
            raise OnnxError.of(self.problems)
        outputs = tuple(map(self._output, self.model.outputs))
        computed = dict.fromkeys(output.node for output in outputs if output.node)
        graph = Graph(tuple(self.builder.nodes), tuple(computed))
        dead = {node.name for node in graph.dead()}
        graph = Graph(tuple(n for n in graph.nodes if n.name not in dead), graph.outputs)
        kept = {
            name: w
            for name, w in self.builder.weights.items()
            if name.rpartition(".")[0] not in dead
        }
        inputs = {name: row for name, row in self.inputs.items() if row not in dead}
        return Imported(graph, kept, inputs, outputs)

    def _read_inputs(self) -> None:
        if not self.model.inputs:
            raise OnnxError("the model has no input")
        for name, shape in self.model.inputs.items():
            self._read_input(name, shape)

    def _read_input(self, name: str, shape: tuple[int | None, ...] | None) -> None:
        start = int(self.batched)
        if shape is None or len(shape) < 2 * start or None in shape[start:]:
            shown = "unknown" if shape is None else ["?" if s is None else s for s in shape]
            raise OnnxError(
                f"the shape of the input {name!r} is {shown}: only the batch may be open",
                fixes=["onnx.tools.update_model_dims fixes the others"],
            )
        lead = tuple(side or 1 for side in shape[:start])
        if self.inputs and lead != self.lead:
            raise OnnxError(f"the input {name!r} has another batch than the first: {list(shape)}")
        self.lead = lead
        sides = tuple(side for side in shape[start:] if side is not None)
        turned = self._reads_nhwc(name, sides)
        image = f32(*sides) if turned else as_image(sides)
        op = Input(image.maps, image.height_width, layout="nhwc" if turned else "nchw")
        try:
            row = self.builder.add_input(op, name if len(self.model.inputs) > 1 else "In")
        except Unsupported as error:
            raise OnnxError(f"the input {name!r}: {error}") from None
        self.inputs[name] = row
        image = self.builder.view(row)
        self.known[name] = image.transposed((1, 2, 0)) if turned else image.reshaped(sides)

    def _reads_nhwc(self, name: str, sides: tuple[int, ...]) -> bool:
        """Whether all that is done with the input is to bring its maps to the front."""
        readers = [node for node in self.model.nodes if name in node.inputs]
        return (
            len(sides) == 3
            and bool(readers)
            and all(
                node.op_type == "Transpose"
                and list(node.attributes.get("perm", ())) == [0, 3, 1, 2]
                for node in readers
            )
        )

    def _read(self, facts: Facts) -> None:
        try:
            results = self._results(facts)
        except Unsupported as error:
            self._report(facts, error)
            return
        for name, result in zip(facts.outputs, results, strict=False):
            self.known[name] = result

    def _results(self, facts: Facts) -> list[Known]:
        if facts.op_type == "Constant":
            return [_constant(facts)]
        given = [self._given(name) for name in facts.inputs]
        constant = not any(isinstance(value, View) for value in given)
        lost = any(v is None and n for v, n in zip(given, facts.inputs, strict=True))
        importer = IMPORTERS.get(facts.op_type)
        if lost:
            # An input has no row already: that is reported. An unknown operator still is as well.
            if importer is None and facts.op_type not in FOLDABLE:
                raise without_row(facts, first=False)
            return []
        if constant and facts.op_type in FOLDABLE:
            return list(self._folded(facts, given))
        if importer is None:
            raise without_row(facts)
        step = Step(facts, given, self.builder, self.model.opset, self.lead, self.read)
        try:
            result = importer(step)
        except _OF_MALFORMED as error:
            # Importers take a node as ONNX defines it; a file can say anything.
            raise Unsupported(f"it is not as ONNX defines it: {error}") from None
        return [*result] if isinstance(result, list) else [result]

    def _folded(self, facts: Facts, given: list[Known | None]) -> list[Array]:
        arrays = [None if isinstance(value, View) else value for value in given]
        try:
            found = fold(facts, arrays, self.model.opset, LARGEST - self.folded)
        except TooLarge:
            raise Unsupported(
                "it makes a constant that is too large, or the constants before it already are"
            ) from None
        except TypeError as error:
            raise Unsupported(f"it is not as ONNX defines it: {error}") from None
        except Exception as error:
            # The reference implementation raises whatever NumPy does.
            raise Unsupported(f"it cannot be computed: {error}") from None
        self.folded += sum(array.size for array in found)
        return found

    def _given(self, name: str) -> Known | None:
        value = self.known.get(name)
        if isinstance(value, View) and self.uses[name] > 1:
            return replace(value, shared=True)
        return value

    def _output(self, name: str) -> Output:
        view = self.known.get(name)
        if view is None:
            raise OnnxError(f"no node makes the output {name!r}")
        if not isinstance(view, View):
            return Output(name, view.shape, constant=view)
        shape = view.shape
        try:
            source = self.builder.nodes[0].op
            turned = isinstance(source, Input) and source.layout == "nhwc"
            if turned and len(shape) > 1:
                # Whatever axes there are, an image comes out pixel by pixel.
                sides = (prod(shape[:-2]), shape[-2], shape[-1])
                view = view.reshaped(sides).transposed((2, 0, 1))
            node = self.builder.tensor(view)
            if isinstance(self.builder[node].op, Input):
                # A table is more than its input.
                node = self.builder.add(Activation("linear"), [node])
        except Unsupported as error:
            raise OnnxError(f"the output {name!r}: {error}") from None
        return Output(name, shape, node)

    def _report(self, facts: Facts, error: Unsupported) -> None:
        fix = error.fix
        made = [n for n in facts.inputs if isinstance(self.known.get(n), View)]
        before = next((name for name in made if name not in self.inputs), "")
        if not fix and not error.follows and before:
            fix = keeping(before)
        fixes = (Fix(fix),) if fix else ()
        self.problems.append(Diagnostic("E804", f"{facts.label}: {error}", fixes=fixes))


def _constant(facts: Facts) -> Array:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in facts.attributes:
            value = facts.attributes[name]
            kind = np.int64 if name.startswith("value_int") else np.float32
            return cast(Array, value) if name == "value" else np.asarray(value, kind)
    raise Unsupported("it is a constant of another kind than numbers")
