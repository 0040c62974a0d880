"""Small graphs, written as a list of rows."""

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.text import parse_op


def graph_of(*rows: tuple[str, str, str]) -> Graph:
    """Nodes from (name, operator as text, names that it reads); the last is the output."""
    nodes = [Node(name, parse_op(op), tuple(reads.split()), name) for name, op, reads in rows]
    return Graph(tuple(nodes), (nodes[-1].name,))
