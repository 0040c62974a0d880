"""
What differs between two networks: their rows, their costs, and which weights still load.

Rows of the same name stand for each other. Of the others, runs that say the same in the same order
do too: such a row was renamed. What is left was added or removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from cnndsl.ir.network import Network
from cnndsl.ir.summary import Summary, follower
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.base import Param

Kind = Literal["removed", "added", "renamed", "changed"]
Fate = Literal["loads", "renamed", "reshaped", "unconnected", "missing", "left over"]


@dataclass(frozen=True, slots=True)
class Change:
    """One property of a row, before and after; `-` where a row has none of it."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what} {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class RowDifference:
    """
    A row that is not the same in both.

    `before` and `after` are its names, None where it is missing. A `renamed` row may have `changes`
    as well; only its inputs' names can be among them.
    """

    kind: Kind
    before: str | None
    after: str | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightDifference:
    """
    A parameter, and what becomes of the first network's weights in the second.

    `loads` under its name; `renamed` would load under another; `reshaped` has the name but not the
    shape; `unconnected` has entries between maps that are not connected any more, which must be 0
    to load; `missing` is what the second needs and the first lacks; `left over` the other way
    round.
    Shapes are None where there is no such parameter.
    """

    fate: Fate
    before: str | None
    after: str | None
    shape_before: tuple[int, ...] | None
    shape_after: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """
    Two networks beside each other.

    `outputs` says what becomes of the networks' results, where they are others or in another
    order. `weights` lists every parameter of both, each once.
    """

    before: Summary
    after: Summary
    outputs: Change | None
    rows: tuple[RowDifference, ...]
    weights: tuple[WeightDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two compute the same with the same weights, name for name."""
        same = not self.rows and self.outputs is None
        return same and all(weight.fate == "loads" for weight in self.weights)


def compare(before: Network, after: Network) -> Difference:
    """The difference that turns one network into the other."""
    names = _counterparts(before, after)
    rows = tuple(_row_differences(before, after, names))
    weights = tuple(_weight_differences(before, after, names))
    outputs = _output_change(before, after, names)
    return Difference(before.summary(), after.summary(), outputs, rows, weights)


def _output_change(before: Network, after: Network, names: dict[str, str]) -> Change | None:
    """
    Another choice of rows as outputs.

    That the last row is another one does not count where both networks have it as their output.
    """
    was, now = _result_rows(before), _result_rows(after)
    named = before.names_outputs or after.names_outputs
    if not named or [names.get(name, name) for name in was] == now:
        return None
    return Change("outputs", ", ".join(was), ", ".join(now))


def _result_rows(network: Network) -> list[str]:
    """The rows whose values are the outputs; for a block, the one in it that makes its result."""
    owners = {row.result: row.name for row in network.rows}
    return [owners[node] for node in network.ir.outputs]


def _counterparts(before: Network, after: Network) -> dict[str, str]:
    """For rows of the first network that the second has too, their names there."""
    first = {row.name: row for row in before.rows}
    second = {row.name: row for row in after.rows}
    pairs = {name: name for name in first if name in second}
    lone = [row for row in before.rows if row.name not in second]
    others = [row for row in after.rows if row.name not in first]
    says = [[(row.op, before.types[row.result]) for row in lone]]
    says += [[(row.op, after.types[row.result]) for row in others]]
    # What operators say is compared as text: their attributes need not be hashable.
    keys = [[repr(what) for what in side] for side in says]
    for block in SequenceMatcher(None, *keys, autojunk=False).get_matching_blocks():
        for i in range(block.size):
            pairs[lone[block.a + i].name] = others[block.b + i].name
    return pairs


def _row_differences(
    before: Network, after: Network, names: dict[str, str]
) -> Iterator[RowDifference]:
    first, second = _Rows(before), _Rows(after)
    for row in before.rows:
        name = names.get(row.name)
        if name is None:
            yield RowDifference("removed", row.name, None)
            continue
        changes = tuple(_changes(first.facts(row.name, names), second.facts(name)))
        if name != row.name:
            yield RowDifference("renamed", row.name, name, changes)
        elif changes:
            yield RowDifference("changed", row.name, name, changes)
    known = set(names.values())
    for row in after.rows:
        if row.name not in known:
            yield RowDifference("added", None, row.name)


class _Rows:
    """A network's rows as properties with their values, all of them text."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._rows = {row.name: row for row in network.rows}
        self._owners = {node: row.name for row in network.rows for node in row.nodes}

    def facts(self, name: str, names: dict[str, str] | None = None) -> dict[str, str]:
        """`names` are what the rows that it reads are called in the other network."""
        row = self._rows[name]
        nodes = self._network.nodes_of(row)
        facts = {"type": row.op.row_type}
        for attribute in attributes_of(type(row.op)):
            value = getattr(row.op, attribute.name)
            facts[attribute.name] = "-" if value is None else attribute.kind.format(value) or "-"
        followers = [follower(node.op) for node in nodes if node.name != name]
        facts["then"] = ", ".join(followers) or "-"
        facts["output"] = "x".join(map(str, self._network.types[row.result].shape))
        found = [self._owners[operand] for operand in nodes[0].inputs]
        facts["from"] = ",".join(names.get(x, x) if names else x for x in found) or "-"
        return facts


def _changes(before: dict[str, str], after: dict[str, str]) -> Iterator[Change]:
    for what in dict.fromkeys([*before, *after]):
        was, now = before.get(what, "-"), after.get(what, "-")
        if was != now:
            yield Change(what, was, now)


def _weight_differences(
    before: Network, after: Network, names: dict[str, str]
) -> Iterator[WeightDifference]:
    first, second = before.param_table, after.param_table
    taken: set[str] = set()
    for name, param in first.items():
        there = _renamed(name, names)
        found = second.get(there) if there is not None else None
        if there is None or found is None:
            yield WeightDifference("left over", name, None, param.shape, None)
            continue
        taken.add(there)
        fate: Fate = "loads" if there == name else "renamed"
        if found.shape != param.shape:
            fate = "reshaped"
        elif _loses_connections(param, found):
            fate = "unconnected"
        yield WeightDifference(fate, name, there, param.shape, found.shape)
    for name, param in second.items():
        if name not in taken:
            yield WeightDifference("missing", None, name, None, param.shape)


def _loses_connections(before: Param, after: Param) -> bool:
    if after.mask is None:
        return False
    return before.mask is None or bool((before.mask & ~after.mask).any())


def _renamed(param: str, names: dict[str, str]) -> str | None:
    """A parameter's full name in the other network, as far as its row is there."""
    owner = _owner(param, names)
    return None if owner is None else names[owner] + param[len(owner) :]


def _owner(param: str, rows: Sequence[str] | dict[str, str]) -> str | None:
    """The row that a parameter belongs to: `C1` of `C1.weight`, `R1.c2` of `R1.c2.norm.bias`."""
    name = param
    while "." in name:
        name = name.rpartition(".")[0]
        if name in rows:
            return name
    return None
