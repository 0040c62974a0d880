"""
What PyTorch's exporter writes by way of other axes, as the node that takes cells at once.

`as_strided` comes as a tensor of one axis, the batch in it, and a Gather of its places. An index
along a later axis comes as a GatherND between two Transposes, which moves the batch and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cnndsl.interop.onnx.reading import Array, Facts, ModelFacts
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View

STRIDED = "AsStrided"
"""The name of the first; ONNX has no such operator."""


def straightened(model: ModelFacts) -> ModelFacts:
    """The model without detours. Their first nodes stay, and nobody reads them any more."""
    makers = {name: node for node in model.nodes for name in node.outputs}
    detours = _Detours(model.constants, makers)
    found: dict[str, Array] = {}
    nodes: list[Facts] = []
    for facts in model.nodes:
        straight = detours.strided(facts) or detours.indexed(facts)
        found.update((node.inputs[1], places) for node, places in straight)
        nodes += [node for node, _ in straight] or [facts]
    return replace(model, nodes=tuple(nodes), constants={**model.constants, **found})


def import_strided(step: Step) -> View:
    """A view of the cells at places that count all cells of the one image."""
    view, places = step.view(), step.constant(1, "places")
    start, count = len(step.lead), view.flat.size
    if places.ndim <= start or places.shape[:start] != step.lead or step.lead not in ((), (1,)):
        raise Unsupported("it moves cells between images")
    if places.min() < 0 or places.max() >= count:
        raise Unsupported(f"it takes cells that are none of the {count}")
    cells = view.flat[places.reshape(-1)].reshape(places.shape[start:])
    in_order = np.array_equal(cells.reshape(-1), np.arange(view.type.size))
    return replace(view, shape=cells.shape, places=None if in_order else cells)


@dataclass(frozen=True, slots=True)
class _Detours:
    """Looks for the nodes before a detour's end. Found are nodes in its place, and their places."""

    constants: Mapping[str, Array]
    makers: Mapping[str, Facts]

    def strided(self, end: Facts) -> list[tuple[Facts, Array]]:
        """A Gather of places of a tensor that has been reshaped to one axis."""
        flat = self._maker(end, "Gather", "Reshape")
        if flat is None or end.attributes.get("axis", 0) != 0:
            return []
        shape, places = self._constant(flat.inputs[1]), self._constant(end.inputs[1])
        if shape is None or shape.size != 1 or places is None or places.ndim < 2:
            return []
        inputs = (flat.inputs[0], f"{end.outputs[0]}.places")
        return [(replace(end, op_type=STRIDED, inputs=inputs, attributes={}), places)]

    def indexed(self, end: Facts) -> list[tuple[Facts, Array]]:
        """A GatherND along the first axes, to which later ones have been moved."""
        taking = self._maker(end, "Transpose", "GatherND")
        moving = None if taking is None else self._maker(taking, "GatherND", "Transpose")
        if taking is None or moving is None or taking.attributes.get("batch_dims", 0) != 0:
            return []
        there, back = (list(node.attributes.get("perm", ())) for node in (moving, end))
        places = self._constant(taking.inputs[1])
        lines = None if places is None else _lines(places)
        if not there or not lines or back != np.argsort(there).tolist():
            return []
        nodes: list[tuple[Facts, Array]] = []
        x, y = moving.inputs[0], end.outputs[0]
        for count, (axis, line) in enumerate(zip(there, lines, strict=False), 1):
            made = y if count == len(lines) else f"{y}.{count}"
            inputs, attributes = (x, f"{made}.places"), {"axis": axis}
            node = replace(end, op_type="Gather", inputs=inputs, outputs=(made,))
            nodes.append((replace(node, attributes=attributes), line))
            x = made
        return nodes

    def _maker(self, end: Facts, op_type: str, before: str) -> Facts | None:
        """The node that makes the first input, where both are of these types."""
        if end.op_type != op_type or not end.inputs:
            return None
        node = self.makers.get(end.inputs[0])
        whole = node is not None and node.op_type == before and bool(node.inputs)
        two = before == "Transpose" or (node is not None and len(node.inputs) == 2)
        return node if whole and two and (op_type == "Transpose" or len(end.inputs) == 2) else None

    def _constant(self, name: str) -> Array | None:
        array = self.constants.get(name)
        node = self.makers.get(name)
        if array is None and node is not None and node.op_type == "Constant":
            array = node.attributes.get("value", node.attributes.get("value_ints"))
        return None if array is None else np.asarray(array)


def _lines(places: Array) -> list[Array]:
    """The places along each axis, if they are those of a grid: rows by columns."""
    rank = places.shape[-1] if places.ndim > 1 else 0
    if rank != places.ndim - 1 or not places.size:
        return []
    grids = [places[..., axis] for axis in range(rank)]
    lines = [
        grid[(0,) * axis + (slice(None),) + (0,) * (rank - axis - 1)]
        for axis, grid in enumerate(grids)
    ]
    whole = np.meshgrid(*lines, indexing="ij")
    return lines if all(map(np.array_equal, grids, whole)) else []
