"""`cnndsl explain`: one row, with its numbers."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from cnndsl.backends.choosing import Considered, Describer
from cnndsl.cli.arguments import add_format, add_limits, add_numerics, add_spec, limits_of
from cnndsl.cli.choices import considered_for, describe
from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.ir import cost
from cnndsl.ir.network import BlockFacts, Network
from cnndsl.limits import format_bytes
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.base import Op
from cnndsl.plan.plan import COPY, ZERO_HALO, Step
from cnndsl.source import text_cells
from cnndsl.targets import TARGETS
from cnndsl.types import NUMERICS, Numerics, Options

EPILOG = """\
examples:
  cnndsl explain alexnet N1
  cnndsl explain lenet5.cnn C3 --json

In a formula i and j are the row and the column of a cell, o and c maps, k a cell of a vector.

Of a convolution, the algorithms that were considered are told: what the cost model estimates for
one image on one thread and whether arithmetic or memory is most of that, what `compile --tune` has
measured, the bound on the error, and why an algorithm was not chosen."""


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `explain` takes."""
    add_spec(parser)
    parser.add_argument("row", metavar="ROW", help="a row's name")
    parser.add_argument(
        "--target", choices=TARGETS, default="cpu", help="whose kernels to name (default: cpu)"
    )
    add_numerics(parser)
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Explain the row."""
    network = load_spec(args.spec, limits_of(args))
    explanation = explain(network, args.row, args.target, args.numerics)
    if args.format == "json":
        terminal.json(asdict(explanation))
    else:
        _print(explanation, terminal)
    return 0


def explain(network: Network, name: str, target: str, numerics: Numerics = "fast") -> Explanation:
    """What is known of a row, and the kernels that a target runs it with. Raises `CnnError`."""
    facts = network[name]
    if isinstance(facts, BlockFacts):
        return _explain_block(network, facts, target, numerics)
    nodes = network.nodes_of(facts.row)
    operands = [[network.types[x] for x in node.inputs] for node in nodes]
    steps = list(zip(nodes, operands, strict=True))
    params = {k: p for node in nodes for k, p in cost.node_params(node, network.types).items()}
    read = next(node for node in nodes if node.name == facts.row.nodes[0])
    owners = {node: row.name for row in network.rows for node in row.nodes}
    span = facts.row.span
    return Explanation(
        name=name,
        type=facts.op.row_type,
        summary=facts.op.summary,
        place=str(span) if span else "",
        line=" ".join(span.text.split()) if span else "",
        values=_values(facts.op),
        reads={owners[x]: network.types[x].describe() for x in read.inputs},
        formulas={node.name: node.op.formula(*x) for node, x in steps},
        conventions=tuple(line for node, x in steps for line in node.op.conventions(*x)),
        output=facts.type.describe(),
        shape=facts.shape,
        port=_port(network, facts.row.result),
        params={key: param.shape for key, param in params.items()},
        param_count=facts.params,
        macs=facts.macs,
        activation_bytes=facts.type.size * cost.FLOAT,
        considered=_considered(network, name, target, numerics),
        kernels=_kernels(network, [name], target, numerics),
        rows={},
        within=tuple(map(str, reversed(facts.row.uses))),
    )


def _explain_block(
    network: Network, facts: BlockFacts, target: str, numerics: Numerics
) -> Explanation:
    """What is known of a row whose type is a block."""
    row, inside = facts.row, facts.rows
    owners = {node: row.name for row in network.rows for node in row.nodes}
    names = [param for param in network.param_table if param.startswith(f"{row.name}.")]
    return Explanation(
        name=row.name,
        type=row.block,
        summary=f"a block of {len(inside)} row{'s' * (len(inside) != 1)}",
        place=str(row.span),
        line=" ".join(row.span.text.split()),
        values={name: span.text for name, span in row.cells.items()},
        reads={owners[row.operand]: facts.operand.describe()},
        formulas={},
        conventions=(),
        output=facts.type.describe(),
        shape=facts.shape,
        port=_port(network, row.result),
        params={name: network.param_table[name].shape for name in names},
        param_count=facts.params,
        macs=facts.macs,
        activation_bytes=facts.type.size * cost.FLOAT,
        considered=(),
        kernels=_kernels(network, row.rows, target, numerics),
        rows={x.name: f"{x.op.row_type}, {x.type.describe()}" for x in inside},
        within=tuple(map(str, reversed(row.uses))),
    )


def _port(network: Network, node: str) -> int | None:
    outputs = network.ir.outputs
    return outputs.index(node) + 1 if len(outputs) > 1 and node in outputs else None


def _values(op: Op) -> dict[str, str]:
    """The attributes that have a value, defaults included, as the table writes them."""
    return {
        attribute.name: attribute.kind.format(getattr(op, attribute.name))
        for attribute in attributes_of(type(op))
        if getattr(op, attribute.name) not in (None, ())
    }


def _considered(
    network: Network, row: str, target: str, numerics: Numerics
) -> tuple[Considered, ...]:
    """The algorithms for a row, the chosen one first; none for a target that cannot run it."""
    try:
        return considered_for(Compilation(network, target, Options(numerics)), row)
    except TargetError:
        return ()  # `_kernels` says why


def _kernels(
    network: Network, rows: Collection[str], target: str, numerics: Numerics
) -> tuple[str, ...]:
    """The steps of the plan that some rows became, or why there are none."""
    compilation = Compilation(network, target, Options(numerics))
    backend = compilation.backend
    try:
        steps = compilation.plan.steps
        others = {
            other: {
                step.node: step.kernel
                for step in Compilation(network, target, Options(other)).plan.steps
                if step.kernel not in (COPY, ZERO_HALO)
            }
            for other in NUMERICS
            if other != numerics
        }
    except TargetError as error:
        return (error.diagnostics[0].message,)
    lines: list[str] = []
    for step in steps:
        if step.row in rows:
            lines.append(_kernel(step, others))
            if isinstance(backend, Describer):
                lines += backend.described(step)
        elif _takes_up(step, rows):
            lines.append(f"none: its numbers are in those that {step.kernel} has for {step.node}")
    return tuple(lines)


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
        if step.kernel not in (COPY, ZERO_HALO, kernels.get(step.node, step.kernel))
    )
    does = {COPY: "copies", ZERO_HALO: "writes zeros around"}.get(step.kernel, "computes")
    return f"{step.kernel} {does} {step.node}{fused}{instead}"


def _print(row: Explanation, terminal: Terminal) -> None:
    terminal.say(f"{row.name}: {row.type}, {row.summary}")
    terminal.say(f"{row.place}: {row.line}")
    for use in row.within:
        terminal.say(use)
    terminal.say("")
    tensors = ", ".join(f"{name} {list(shape)}" for name, shape in row.params.items())
    entries = {
        "values": [f"{name} {value}" for name, value in row.values.items()],
        "rows": [f"{name}: {text}" for name, text in row.rows.items()],
        "reads": [f"{name}: {type_}" for name, type_ in row.reads.items()],
        "formula": [f"{node}: {formula}" for node, formula in row.formulas.items()],
        "conventions": list(row.conventions),
        "output": [
            f"{row.output}, {format_bytes(row.activation_bytes)} an image",
            *([f"number {row.port} of the network's outputs"] if row.port is not None else []),
        ],
        "parameters": [f"{row.param_count:,}: {tensors}"] if row.param_count else ["none"],
        "MACs": [f"{row.macs:,} an image"],
        "considered": [describe(found) for found in row.considered],
        "kernel": list(row.kernels) or ["none: nothing is left to compute"],
    }
    width = max(map(text_cells, entries)) + 2
    for label, lines in entries.items():
        for i, line in enumerate(lines):
            terminal.say(f"{label if i == 0 else '':{width}}{line}")
