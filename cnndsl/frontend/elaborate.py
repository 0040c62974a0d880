"""From lines of words to a checked network."""

from __future__ import annotations

from cnndsl.frontend.cells import read_row
from cnndsl.frontend.checking import CheckedTable, check_rows
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.header import Outline, read_outline
from cnndsl.frontend.linking import link_rows, unread
from cnndsl.frontend.nodes import make_outcome
from cnndsl.frontend.refute import report_failures
from cnndsl.frontend.syntax import Document, RowLine
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.ir.cost import check_memory
from cnndsl.ir.graph import Graph
from cnndsl.ir.network import Network, Row
from cnndsl.ir.node import Node
from cnndsl.limits import Limits
from cnndsl.source import Source
from cnndsl.types import TensorType


def elaborate(document: Document, findings: Findings, limits: Limits | None = None) -> Network:
    """
    The network that a text describes.

    All errors are collected; one `SpecError` is raised for them, those in `findings` included.
    """
    outline, table = check_document(document, findings, limits)
    return _network(outline.name, document.source, table, findings)


def check_document(
    document: Document, findings: Findings, limits: Limits | None = None
) -> tuple[Outline, CheckedTable]:
    """What a text says and that it is right. Raises as `elaborate`."""
    outline = read_outline(document, findings)
    rows = link_rows(_typed_rows(outline, findings), findings)
    table = check_rows(rows, limits or Limits())
    report_failures(table, findings)
    if not rows:
        end = document.lines[-1].span
        findings.error("E114", "the table has no rows", end)
    findings.raise_errors()
    for warning in unread(rows):
        findings.add(warning)
    return outline, table


def _typed_rows(outline: Outline, findings: Findings) -> list[TypedRow]:
    rows: list[TypedRow] = []
    for line in outline.rows:
        if isinstance(line, RowLine):
            rows.append(read_row(line, outline.columns, findings))
        else:
            rows.append(TypedRow(line.first, line.span))
        if findings.full:
            break
    return rows


def _network(name: str, source: Source, table: CheckedTable, findings: Findings) -> Network:
    """The network of rows that have all been found right."""
    results: dict[str, tuple[str, TensorType]] = {}
    nodes: list[Node] = []
    rows: list[Row] = []
    for row in table.rows:
        assert row.op is not None
        assert row.sources is not None
        operands = tuple(results[source] for source in row.sources)
        outcome = make_outcome(row, operands, table.limits)
        names = tuple(node.name for node in outcome.nodes)
        nodes += outcome.nodes
        rows.append(Row(row.name, row.op, names, row.span, row.cells))
        results[row.name] = (names[-1], outcome.result)
    graph = Graph(tuple(nodes), (nodes[-1].name,))
    network = Network(name, tuple(rows), graph, source, findings.sorted())
    check_memory(graph, network.types, table.limits)
    return network
