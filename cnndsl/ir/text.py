"""A graph as text, to be read by people and compared in tests."""

from __future__ import annotations

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.node import Node
from cnndsl.ops.text import format_op


def format_node(node: Node) -> str:
    """
    One node: `C1 = conv(In) maps=6 kernel=5x5 |> activation activation=tanh`.

    Behind `*` stands what is folded into its parameters, behind `|>` its epilogue, and in brackets
    what a constant is made of.
    """
    row_type, _, options = format_op(node.op).partition(" ")
    call = f"{row_type}({', '.join(node.inputs)})"
    folded = [
        " ".join([f"* {folded.prefix}: {format_op(folded.op)}", *_parts(folded.made_of)])
        for folded in node.folded
    ]
    epilogue = [f"|> {format_op(op)}" for op in node.epilogue]
    words = filter(None, [call, options, *_parts(node.made_of), *folded, *epilogue])
    return f"{node.name} = {' '.join(words)}"


def _parts(nodes: tuple[Node, ...]) -> list[str]:
    return [f"[{'; '.join(map(format_node, nodes))}]"] if nodes else []


def format_graph(graph: Graph) -> str:
    """A line a node with its type, then the outputs."""
    types = infer_types(graph)
    lines = [f"{format_node(node)} : {types[node.name]!r}" for node in graph.nodes]
    return "\n".join([*lines, f"output {', '.join(graph.outputs)}"])
