"""All that is known of one row of a network that is compiled for a target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from cnndsl.backends.choosing import Considered, Describer
from cnndsl.cli.choices import considered_for
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.ir import cost
from cnndsl.ir.network import BlockFacts, Network, RowFacts
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.pad import Pad
from cnndsl.plan.plan import COPY, ZERO_HALO, Step
from cnndsl.types import NUMERICS


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    All that is known of a row.

    `formulas` maps each node of it to what it computes. `port` counts the network's outputs from 1
    where the row is one of several. Of a row whose type is a block, `rows` maps
    those that stand for it to what they are.
    """

    name: str
    type: str
    summary: str
    place: str
    line: str
    values: dict[str, str]
    reads: dict[str, str]
    formulas: dict[str, str]
    conventions: tuple[str, ...]
    output: str
    shape: tuple[int, ...]
    port: int | None
    params: dict[str, tuple[int, ...]]
    param_count: int
    macs: int
    activation_bytes: int
    considered: tuple[Considered, ...]
    kernels: tuple[str, ...]
    rows: dict[str, str]
    within: tuple[str, ...]


def explain(compilation: Compilation, name: str) -> Explanation:
    """What is known of a row, and the kernels that the target runs it with. Raises `CnnError`."""
    facts = compilation.network[name]
    if isinstance(facts, BlockFacts):
        return _explain_block(compilation, facts)
    return _explain_row(compilation, facts)


def _explain_row(compilation: Compilation, facts: RowFacts) -> Explanation:
    network, row = compilation.network, facts.row
    nodes = network.nodes_of(row)
    operands = [[network.types[x] for x in node.inputs] for node in nodes]
    steps = list(zip(nodes, operands, strict=True))
    params = {k: p for node in nodes for k, p in cost.node_params(node, network.types).items()}
    first = next(node for node in nodes if node.name == row.nodes[0])
    return Explanation(
        name=row.name,
        type=facts.op.row_type,
        summary=facts.op.summary,
        place=str(row.span) if row.span else "",
        line=" ".join(row.span.text.split()) if row.span else "",
        values=_values(facts.op),
        reads=_reads(network, first.inputs),
        formulas={node.name: node.op.formula(*x) for node, x in steps},
        conventions=tuple(line for node, x in steps for line in node.op.conventions(*x)),
        output=facts.type.describe(),
        shape=facts.shape,
        port=_port(network, row.result),
        params={key: param.shape for key, param in params.items()},
        param_count=facts.params,
        macs=facts.macs,
        activation_bytes=facts.type.size * cost.FLOAT,
        considered=_considered(compilation, row.name),
        kernels=_kernels(compilation, [row.name]),
        rows={},
        within=tuple(map(str, reversed(row.uses))),
    )


def _explain_block(compilation: Compilation, facts: BlockFacts) -> Explanation:
    """What is known of a row whose type is a block."""
    network, row, inside = compilation.network, facts.row, facts.rows
    params = [param for param in network.param_table if param.startswith(f"{row.name}.")]
    return Explanation(
        name=row.name,
        type=row.block,
        summary=f"a block of {len(inside)} row{'s' * (len(inside) != 1)}",
        place=str(row.span),
        line=" ".join(row.span.text.split()),
        values={name: span.text for name, span in row.cells.items()},
        reads=_reads(network, [row.operand]),
        formulas={},
        conventions=(),
        output=facts.type.describe(),
        shape=facts.shape,
        port=_port(network, row.result),
        params={name: network.param_table[name].shape for name in params},
        param_count=facts.params,
        macs=facts.macs,
        activation_bytes=facts.type.size * cost.FLOAT,
        considered=(),
        kernels=_kernels(compilation, row.rows),
        rows={x.name: f"{x.op.row_type}, {x.type.describe()}" for x in inside},
        within=tuple(map(str, reversed(row.uses))),
    )


def _values(op: Op) -> dict[str, str]:
    """The attributes that have a value, defaults included, as the table writes them."""
    return {
        attribute.name: attribute.kind.format(getattr(op, attribute.name))
        for attribute in attributes_of(type(op))
        if getattr(op, attribute.name) not in (None, ())
    }


def _reads(network: Network, nodes: Collection[str]) -> dict[str, str]:
    """The rows whose nodes are read, and what they give."""
    owners = {node: row.name for row in network.rows for node in row.nodes}
    return {owners[x]: network.types[x].describe() for x in nodes}


def _port(network: Network, node: str) -> int | None:
    outputs = network.ir.outputs
    return outputs.index(node) + 1 if len(outputs) > 1 and node in outputs else None


def _considered(compilation: Compilation, row: str) -> tuple[Considered, ...]:
    """The algorithms for a row, the chosen one first; none for a target that cannot run it."""
    try:
        return considered_for(compilation, row)
    except TargetError:
        return ()  # `_kernels` says why


def _kernels(compilation: Compilation, rows: Collection[str]) -> tuple[str, ...]:
    """The steps of the plan that some rows became, or why there are none."""
    backend = compilation.backend
    try:
        steps = compilation.plan.steps
    except TargetError as error:
        return (error.diagnostics[0].message,)
    others = _under_other_numerics(compilation)
    lines: list[str] = []
    for step in steps:
        if step.row in rows:
            lines.append(_kernel(step, others))
            if isinstance(backend, Describer):
                lines += backend.described(step)
        elif _takes_up(step, rows):
            lines.append(f"none: its numbers are in those that {step.kernel} has for {step.node}")
    return tuple(lines or _drawn_into(compilation.network, steps, rows))


def _drawn_into(network: Network, steps: Sequence[Step], rows: Collection[str]) -> list[str]:
    """The steps that compute rows without a step of their own, as epilogues or as padding."""
    nodes = network.ir.nodes
    places = {node.name: place for place, node in enumerate(nodes)}
    own = {step.node: step for step in steps if not _moves(step)}
    carried: dict[str, Step] = {}  # the step that computes a node, or what the node passes on
    found: list[str] = []
    for node in nodes:
        inputs = sorted(node.inputs, key=places.__getitem__, reverse=True)
        before = [carried[x] for x in inputs if x in carried]
        passed = [x for x in before if len(inputs) == 1 or node.op in x.epilogue]
        step = own.get(node.name) or next(iter(passed), None)
        if step is None:
            continue
        carried[node.name] = step
        if node.row in rows and node.op in step.epilogue:
            found.append(f"none of its own: {step.kernel} computes it with {step.node}")
        pads = [x for x in inputs if isinstance(nodes[places[x]].op, Pad)]
        if any(nodes[places[x]].row in rows for x in pads) and node.op != step.op:
            found.append(f"none of its own: it is padding of {step.kernel} for {step.node}")
    return list(dict.fromkeys(found))


def _under_other_numerics(compilation: Compilation) -> dict[str, dict[str, str]]:
    """The kernel of each node under other numerics, by these; without those the target refuses."""
    options = compilation.options
    found: dict[str, dict[str, str]] = {}
    for numerics in NUMERICS:
        if numerics != options.numerics:
            other = replace(compilation, options=replace(options, numerics=numerics))
            try:
                steps = other.plan.steps
            except TargetError:
                continue
            found[numerics] = {step.node: step.kernel for step in steps if not _moves(step)}
    return found


def _takes_up(step: Step, rows: Collection[str]) -> bool:
    """Whether a step's weights, or its constant, are made of what is in some rows."""
    folded = {folded.prefix for folded in step.folded}
    parts = [*step.made_of, *(part for folded in step.folded for part in folded.made_of)]
    return not folded.union(part.row for part in parts).isdisjoint(rows)


def _kernel(step: Step, others: Mapping[str, Mapping[str, str]]) -> str:
    """What a step does; `others` has the kernel of each node under other numerics, by these."""
    names = (op.activation if isinstance(op, Activation) else op.row_type for op in step.epilogue)
    fused = "".join(f", then {name}" for name in names)
    instead = "".join(
        f" ({numerics}: {kernels[step.node]})"
        for numerics, kernels in others.items()
        if not _moves(step) and kernels.get(step.node, step.kernel) != step.kernel
    )
    does = {COPY: "copies", ZERO_HALO: "writes zeros around"}.get(step.kernel, "computes")
    return f"{step.kernel} {does} {step.node}{fused}{instead}"


def _moves(step: Step) -> bool:
    """Whether a step only moves what another computes."""
    return step.kernel in (COPY, ZERO_HALO)
