"""What the export of one operator is given and how it says what it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import CnnError
from cnndsl.ir.node import Node
from cnndsl.types import TensorType

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """A node of an ONNX graph with one result. `doc` says which row it comes from."""

    op_type: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any]
    doc: str = ""


OLDEST_OPSET = 17
"""In which nearly all rows can be said: LayerNormalization came with it."""


@dataclass(slots=True)
class Emitted:
    """
    An ONNX graph that grows: nodes in order, and constants by name.

    `opset` is the oldest in which all of its nodes can be said.
    """

    nodes: list[OnnxNode] = field(default_factory=list[OnnxNode])
    constants: dict[str, Array] = field(default_factory=dict[str, Array])
    opset: int = OLDEST_OPSET


@dataclass(frozen=True)
class Call:
    """
    One node of our graph on its way into an ONNX graph, where images are `[n, c, h, w]`.

    `inputs` are the names of the ONNX values that it reads; `params` are its parameters, by short
    name, which the ONNX graph has under their full names.
    """

    node: Node
    inputs: tuple[str, ...]
    operands: tuple[TensorType, ...]
    result: TensorType
    params: Mapping[str, Array]
    emitted: Emitted

    @property
    def x(self) -> str:
        """The first value that is read."""
        return self.inputs[0]

    @property
    def operand(self) -> TensorType:
        """The type of the first value that is read."""
        return self.operands[0]

    def param(self, name: str, array: Array | None = None) -> str:
        """
        A parameter as a constant of the graph.

        `array` is what is stored where it is not the parameter as it stands.
        """
        full = f"{self.node.prefix}.{name}"
        self.emitted.constants[full] = self.params[name] if array is None else array
        return full

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Another constant, `<node>/<name>`."""
        full = f"{self.node.name}/{name}"
        self.emitted.constants[full] = np.asarray(value, dtype)
        return full

    def integers(self, name: str, *values: int) -> str:
        """A constant vector of integers, as ONNX says shapes and axes."""
        return self.constant(name, values, np.int64)

    def step(self, name: str, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """An intermediate value, `<node>/<name>`."""
        return self._add(f"{self.node.name}/{name}", op_type, inputs, attributes)

    def result_of(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The node's result, which is called like the node."""
        return self._add(self.node.name, op_type, inputs, attributes)

    def needs(self, opset: int) -> None:
        """Say that the node is one of that opset, or of a newer one."""
        self.emitted.opset = max(self.emitted.opset, opset)

    def refuse(self, reason: str) -> CnnError:
        """The error for an operator that ONNX has no form of."""
        return CnnError(
            f"{self.node.op.row_type} has no form in ONNX: {reason}",
            span=self.node.span,
            row=self.node.row,
            code="E805",
        )

    def _add(
        self, output: str, op_type: str, inputs: Sequence[str], attributes: Mapping[str, Any]
    ) -> str:
        doc = f"row {self.node.row}"
        if self.node.span is not None:
            doc += f", line {self.node.span.line}: {self.node.span.text}"
        self.emitted.nodes.append(OnnxNode(op_type, tuple(inputs), output, attributes, doc))
        return output
