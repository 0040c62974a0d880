"""From a graph to a plan: kernels chosen, layouts settled, memory shared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types, operand_types
from cnndsl.ir.node import Folded, Node
from cnndsl.ops.add import Add
from cnndsl.ops.base import Op
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.input import Input
from cnndsl.plan.arena import Lifetime, assign_offsets
from cnndsl.plan.plan import COPY, ZERO_HALO, Buffer, Place, Plan, Step
from cnndsl.plan.strategy import NO_HALO, Choice, Halo, Strategy, widest
from cnndsl.types import Layout


def make_plan(graph: Graph, strategy: Strategy) -> Plan:
    """
    Plan a graph for a target.

    Images come in each input's own layout; those that are outputs go in the first input's.
    Raises what `strategy` raises for a node that the target cannot run.
    """
    return _Planner(graph, strategy).plan()


@dataclass(slots=True)
class _Storage:
    """A piece of memory that one value or several, one after the other or as views, live in."""

    size: int
    place: Place
    halo: Halo = NO_HALO
    tenants: int = 1
    port: int = 0


@dataclass(frozen=True, slots=True)
class _Value:
    """A value, its shape as its readers see it, and the storage that it lives in."""

    name: str
    shape: tuple[int, ...]
    storage: _Storage
    layout: Layout = "nhwc"

    def buffer(self, offset: int = 0) -> Buffer:
        place, halo, port = self.storage.place, self.storage.halo, self.storage.port
        return Buffer(self.name, self.shape, place, offset, halo, self.layout, port)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A step whose buffers have no offsets yet."""

    kernel: str
    node: Node
    op: Op
    x: tuple[_Value, ...]
    y: _Value
    epilogue: tuple[Op, ...] = ()
    part: str = ""
    folded: tuple[Folded, ...] = ()
    made_of: tuple[Node, ...] = ()


@dataclass
class _Planner:
    graph: Graph
    strategy: Strategy
    drafts: list[_Draft] = field(default_factory=list[_Draft])
    values: dict[str, _Value] = field(default_factory=dict[str, _Value])
    given: list[_Value] = field(default_factory=list[_Value])
    results: dict[int, _Value] = field(default_factory=dict[int, _Value])

    def plan(self) -> Plan:
        self.types = infer_types(self.graph)
        self.readers = self.graph.readers()
        self.choices = {n.name: self._choice(n) for n in self.graph.nodes if _computes(n)}
        self.halos = {node.name: self._halo(node) for node in self.graph.nodes}
        for node in self.graph.nodes:
            self.values[node.name] = self._value(node)
            for port, name in enumerate(self.graph.outputs):
                if name == node.name:
                    self.results[port] = self._result(node, port)
        return self._placed()

    def _choice(self, node: Node) -> Choice:
        return self.strategy(node, operand_types(node, self.types))

    def _halo(self, node: Node) -> Halo:
        """What the readers of a node want around its value."""
        halo = NO_HALO
        for reader in self.readers[node.name]:
            if reader.name in self.choices:
                halo = widest(halo, self.choices[reader.name].halo)
        return halo

    # ---- values, node by node

    def _value(self, node: Node) -> _Value:
        if isinstance(node.op, Input):
            return self._input(node, node.op)
        if isinstance(node.op, Flatten):
            return self._flattened(node, node.op)
        choice = self.choices[node.name]
        if choice.view:
            return self._viewed(node)
        x = tuple(self._operand(name, choice) for name in node.inputs)
        if choice.in_place and self._may_overwrite(node, x[0]):
            y = replace(x[0], name=node.name)
        elif choice.accumulates and self._may_add_to(node, x[-1]):
            y = replace(x[-1], name=node.name)
        else:
            y = self._fresh(node.name, self.types[node.name].shape, self.halos[node.name])
        extras = node.epilogue, node.part, node.folded, node.made_of
        self.drafts.append(_Draft(choice.kernel, node, node.op, x, y, *extras))
        return y

    def _input(self, node: Node, op: Input) -> _Value:
        layout = op.layout
        size = self.types[node.name].size
        shape = self.types[node.name].shape
        given = _Value(node.name, shape, _Storage(size, "input", port=len(self.given)), layout)
        self.given.append(given)
        if layout == "nhwc" and self.halos[node.name] == NO_HALO:
            return given
        return self._copied(node, given, self._fresh(node.name, shape, self.halos[node.name]))

    def _flattened(self, node: Node, op: Flatten) -> _Value:
        x = self._compact(node.inputs[0])
        shape = self.types[node.name].shape
        if op.order == "chw" and len(x.shape) == 3:
            turned = self._fresh(node.name, x.shape, NO_HALO)
            x = self._copied(node, x, replace(turned, layout="nchw"))
        x.storage.tenants += 1
        return _Value(node.name, shape, x.storage)

    def _viewed(self, node: Node) -> _Value:
        """The operand's memory in another shape, or a copy with a halo where one is wanted."""
        x, halo = self._compact(node.inputs[0]), self.halos[node.name]
        x.storage.tenants += 1
        y = _Value(node.name, self.types[node.name].shape, x.storage)
        return y if halo == NO_HALO else self._copied(node, y, self._fresh(y.name, y.shape, halo))

    def _operand(self, name: str, choice: Choice) -> _Value:
        return self._compact(name) if choice.contiguous else self.values[name]

    def _compact(self, name: str) -> _Value:
        """The value without a halo: itself, or a copy that is made once."""
        value = self.values[name]
        if value.storage.halo == NO_HALO:
            return value
        copy = f"{name}.compact"
        if copy not in self.values:
            fresh = self._fresh(copy, value.shape, NO_HALO)
            self.values[copy] = self._copied(self.graph[name], value, fresh)
        return self.values[copy]

    def _copied(self, node: Node, x: _Value, y: _Value) -> _Value:
        self.drafts.append(_Draft(COPY, node, node.op, (x,), y))
        return y

    def _fresh(self, name: str, shape: tuple[int, ...], halo: Halo) -> _Value:
        size = Buffer(name, shape, "arena", halo=halo).image_stride
        return _Value(name, shape, _Storage(size, "arena", halo))

    def _may_overwrite(self, node: Node, x: _Value) -> bool:
        """Whether a node may write its result over its first operand, `x`."""
        return len(self.readers[node.inputs[0]]) == 1 and self._may_replace(node, 0, x)

    def _may_add_to(self, node: Node, x: _Value) -> bool:
        """Whether a node may add its result to its last operand, `x`, in its epilogue's sum."""
        name = node.inputs[-1]
        others = [reader for reader in self.readers[name] if reader is not node]
        return (
            bool(node.epilogue)
            and isinstance(node.epilogue[0], Add)
            and all(other.name in self.values for other in others)  # they have read it
            and node.inputs.count(name) == 1
            and self._may_replace(node, -1, x)
        )

    def _may_replace(self, node: Node, number: int, x: _Value) -> bool:
        """Whether a node's result fits into the memory of its operand of that number, `x`."""
        return (
            x.storage.place == "arena"
            and x.storage.tenants == 1
            and x.shape == self.types[node.name].shape
            and x.storage.halo == self.halos[node.name]
            and node.inputs[number] not in self.graph.outputs
        )

    # ---- the results

    def _result(self, node: Node, port: int) -> _Value:
        """A node's value in the array that the caller gets: computed there, or copied."""
        type = self.types[node.name]
        if type.is_image and self.graph.layout == "nchw":
            value, layout = self.values[node.name], self.graph.layout
        else:
            value, layout = self._compact(node.name), "nhwc"
            if value.storage.place == "arena":
                value.storage.place, value.storage.port = "output", port
                return value
        storage = _Storage(type.size, "output", port=port)
        return self._copied(node, value, _Value(node.name, type.shape, storage, layout))

    # ---- memory

    def _placed(self) -> Plan:
        drafts = self._with_zeroed_halos()
        lives: dict[int, Lifetime] = {}
        for i, draft in enumerate(drafts):
            for value in (*draft.x, draft.y):
                if value.storage.place == "arena":
                    key = id(value.storage)
                    first = lives[key].first if key in lives else i
                    lives[key] = Lifetime(value.storage.size, first, i)
        assigned, arena = assign_offsets(list(lives.values()))
        offsets = dict(zip(lives, assigned, strict=True))

        def buffer(value: _Value) -> Buffer:
            return value.buffer(offsets.get(id(value.storage), 0))

        steps = tuple(
            Step(
                draft.kernel,
                draft.node.name,
                draft.node.row,
                draft.op,
                tuple(map(buffer, draft.x)),
                buffer(draft.y),
                draft.epilogue,
                draft.part,
                draft.folded,
                draft.made_of,
            )
            for draft in drafts
        )
        results = tuple(buffer(self.results[port]) for port in range(len(self.graph.outputs)))
        return Plan(steps, arena, tuple(map(buffer, self.given)), results)

    def _with_zeroed_halos(self) -> list[_Draft]:
        """The drafts, and before the first that writes into a storage with a halo, its zeroing."""
        drafts: list[_Draft] = []
        zeroed: set[int] = set()
        for draft in self.drafts:
            storage = draft.y.storage
            if storage.halo != NO_HALO and id(storage) not in zeroed:
                zeroed.add(id(storage))
                drafts.append(_Draft(ZERO_HALO, draft.node, draft.op, (), draft.y))
            drafts.append(draft)
        return drafts


def _computes(node: Node) -> bool:
    """Whether a node needs a kernel of the target's; the planner itself moves memory."""
    return not isinstance(node.op, Input | Flatten)
