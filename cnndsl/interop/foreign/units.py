"""What a network's rows ask of a file: units of parameters that one foreign layer has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from cnndsl.interop.foreign.feature_order import Places, feature_places, flattening
from cnndsl.interop.foreign.layers import Layout
from cnndsl.ir.infer import operand_types
from cnndsl.ir.network import Network, Row
from cnndsl.ir.node import Node
from cnndsl.ops.base import Op, Param
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.separable import PARTS, Separable
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Unit:
    """
    The parameters of one operator; a separable row is two of them.

    Its parameters are called `<name>.<param>`. `after` are the numbers of the units that must have
    been computed before it and that nothing else does for. `role` is the block and the row in it:
    units of the same role stand in the same place of different uses of the block. `norm` is the
    name of a normalization that reads this unit's result as the only one. `places` are those of the
    features that it reads, where they stand elsewhere in the foreign framework. `image` is the size
    of the image that it reads; a constant reads none.
    """

    name: str
    op: Op
    params: Mapping[str, Param]
    after: frozenset[int]
    role: tuple[str, str]
    norm: str | None = None
    places: Places | None = None
    image: tuple[int, int] | None = None

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for units that the same foreign layers fit."""
        shapes = tuple((name, param.shape) for name, param in self.params.items())
        # Two vectors of features are in the same order, or one of them is read where it counts.
        order = None if self.places is None else self.places.tobytes()
        return type(self.op), shapes, self.norm is not None, order


def units_of(network: Network, layout: Layout) -> list[Unit]:
    """The units of a network in the order of its rows, as a framework of that layout sees them."""
    return list(_Units(network, layout).walk())


def without(units: Sequence[Unit], names: AbstractSet[str]) -> list[Unit]:
    """The units without those of these names. What was behind one of them is behind its own."""
    numbers: list[frozenset[int]] = []
    kept: list[Unit] = []
    for unit in units:
        before = frozenset[int]().union(*(numbers[earlier] for earlier in unit.after))
        if unit.name in names:
            numbers.append(before)
        else:
            numbers.append(frozenset({len(kept)}))
            kept.append(replace(unit, after=before))
    return kept


class _Units:
    """One network being walked through."""

    def __init__(self, network: Network, layout: Layout) -> None:
        self.network = network
        self.places = feature_places(network.ir, network.types, flattening(layout))
        self.readers = network.ir.readers()
        self.rows: dict[str, Row] = {row.name: row for row in network.rows}
        self.sources: dict[str, frozenset[int]] = {}
        """For each node the numbers of the last units on the ways to it."""
        self.count = 0

    def walk(self) -> Iterator[Unit]:
        for node in self.network.ir.nodes:
            after = frozenset[int]().union(*(self.sources[name] for name in node.inputs))
            operands = operand_types(node, self.network.types)
            for unit in self._units(node, operands):
                yield replace(unit, after=after)
                after = frozenset({self.count})
                self.count += 1
            self.sources[node.name] = after

    def _units(self, node: Node, operands: Sequence[TensorType]) -> Iterator[Unit]:
        params = node.op.params(*operands)
        if isinstance(node.op, Separable):
            halves = (node.op.depthwise, node.op.pointwise)
            for part, op in zip(PARTS, halves, strict=True):
                own = [
                    replace(param, name=param.name.removeprefix(f"{part}."))
                    for param in params
                    if param.name.startswith(f"{part}.")
                ]
                yield self._unit(node, op, own, part)
        elif params:
            yield self._unit(node, node.op, params, "")

    def _unit(self, node: Node, op: Op, params: Sequence[Param], part: str) -> Unit:
        read = node.inputs[0] if node.inputs else None
        operand = None if read is None else self.network.types[read]
        ending = f".{part}" if part else ""
        return Unit(
            f"{node.prefix}{ending}",
            op,
            {param.name: param for param in params},
            frozenset(),
            self._role(node, part),
            self._norm(node) if part != "depthwise" else None,
            None if read is None else self.places.get(read),
            operand.height_width if operand and operand.is_image and part != "pointwise" else None,
        )

    def _role(self, node: Node, part: str) -> tuple[str, str]:
        row = self.rows[node.row]
        block = row.uses[-1].block if row.uses else ""
        words = (row.name.rpartition(".")[2], node.part, part)
        return block, ".".join(word for word in words if word)

    def _norm(self, node: Node) -> str | None:
        readers = self.readers[node.name]
        if len(readers) != 1 or node.name in self.network.ir.outputs:
            return None
        return readers[0].prefix if isinstance(readers[0].op, BatchNorm) else None
