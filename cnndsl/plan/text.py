"""A plan as text for people, and as data for a cache."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from cnndsl.ir.node import Folded, Node
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.mul import Mul
from cnndsl.ops.text import format_op, parse_op
from cnndsl.plan.plan import ZERO_HALO, Buffer, Plan, Step, memory_name

FORMAT = 4


def format_plan(plan: Plan) -> str:
    """A line a step: its kernel, what it reads and writes, and where that lies."""
    lines = [
        f"arena: {plan.arena} floats an image",
        *(f"input  {_format_buffer(x)}" for x in plan.inputs),
        *(f"output {_format_buffer(y)}" for y in plan.outputs),
        "",
    ]
    width = max((len(step.kernel) for step in plan.steps), default=0)
    for i, step in enumerate(plan.steps):
        operands = ", ".join(_format_buffer(x) for x in step.x)
        source = operands or ("zeros" if step.kernel == ZERO_HALO else "weights")
        line = f"{i:3} {step.kernel:{width}} {_format_buffer(step.y)} <- {source}"
        folded = "".join(f" * {folded.prefix}" for folded in step.folded)
        epilogue = "".join(f" |> {format_op(op)}" for op in step.epilogue)
        lines.append(f"{line}{folded}{epilogue}")
    return "\n".join(lines)


def _format_buffer(buffer: Buffer) -> str:
    shape = "x".join(map(str, buffer.shape))
    halo = f" halo {','.join(map(str, buffer.halo))}" if any(buffer.halo) else ""
    layout = " nchw" if buffer.layout == "nchw" else ""
    place = memory_name(buffer.place, buffer.port)
    if buffer.place == "arena":
        place = f"{place}+{buffer.offset}"
    return f"{buffer.name}[{shape}{layout}{halo}]@{place}"


def plan_to_json(plan: Plan) -> str:
    """The plan as JSON; operators stand in it as `ops.text.format_op` writes them."""
    return json.dumps(
        {
            "format": FORMAT,
            "arena": plan.arena,
            "inputs": [asdict(x) for x in plan.inputs],
            "outputs": [asdict(y) for y in plan.outputs],
            "steps": [
                {
                    "kernel": step.kernel,
                    "node": step.node,
                    "row": step.row,
                    "op": format_op(step.op),
                    "x": [asdict(x) for x in step.x],
                    "y": asdict(step.y),
                    "epilogue": [format_op(op) for op in step.epilogue],
                    "part": step.part,
                    "folded": [
                        [folded.prefix, format_op(folded.op), _parts(folded.made_of)]
                        for folded in step.folded
                    ],
                    "made_of": _parts(step.made_of),
                }
                for step in plan.steps
            ],
        }
    )


def _parts(nodes: tuple[Node, ...]) -> list[dict[str, Any]]:
    """The nodes that a constant is made of, as data."""
    return [
        {
            "name": node.name,
            "op": format_op(node.op),
            "inputs": node.inputs,
            "row": node.row,
            "part": node.part,
        }
        for node in nodes
    ]


def plan_from_json(text: str) -> Plan:
    """The plan that `plan_to_json` wrote. Raises `ValueError` for anything else."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError("a plan of another format")
        steps = tuple(_step(step) for step in data["steps"])
        inputs, outputs = (tuple(map(_buffer, data[ends])) for ends in ("inputs", "outputs"))
        return Plan(steps, int(data["arena"]), inputs, outputs)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a plan: {error}") from None


def _step(data: Any) -> Step:
    return Step(
        data["kernel"],
        data["node"],
        data["row"],
        parse_op(data["op"]),
        tuple(_buffer(x) for x in data["x"]),
        _buffer(data["y"]),
        tuple(parse_op(op) for op in data["epilogue"]),
        str(data["part"]),
        tuple(_folded(prefix, op, parts) for prefix, op, parts in data["folded"]),
        tuple(map(_part, data["made_of"])),
    )


def _part(data: Any) -> Node:
    name, row, part = (str(data[key]) for key in ("name", "row", "part"))
    return Node(name, parse_op(data["op"]), tuple(data["inputs"]), row, part=part)


def _folded(prefix: str, text: str, parts: Any) -> Folded:
    op = parse_op(text)
    if not isinstance(op, BatchNorm | Mul | Add):
        raise ValueError(f"not a plan: {text} cannot be folded")
    return Folded(prefix, op, tuple(map(_part, parts)))


def _buffer(data: Any) -> Buffer:
    top, bottom, left, right = data["halo"]
    halo = (int(top), int(bottom), int(left), int(right))
    shape = tuple(int(side) for side in data["shape"])
    place, offset, port = data["place"], int(data["offset"]), int(data["port"])
    return Buffer(data["name"], shape, place, offset, halo, data["layout"], port)
