"""From lines of words to a checked network."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.errors import LimitError
from cnndsl.frontend.blank_names import mend_names
from cnndsl.frontend.checking import CheckedTable, check_rows
from cnndsl.frontend.declarations import read_declarations
from cnndsl.frontend.expand import Expander
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.header import Outline, check_version, read_outline, refuse_empty
from cnndsl.frontend.includes import IncludedFiles
from cnndsl.frontend.nodes import make_outcome
from cnndsl.frontend.outputs import find_outputs
from cnndsl.frontend.refute import report_failures
from cnndsl.frontend.row_types import RowTypes
from cnndsl.frontend.sections import split
from cnndsl.frontend.syntax import Document
from cnndsl.frontend.templates import check_block
from cnndsl.frontend.whole_table import check_ends, refuse_upside_down, warn_of_unread
from cnndsl.ir.cost import check_memory
from cnndsl.ir.graph import Graph
from cnndsl.ir.network import BlockRow, Network, Row
from cnndsl.ir.node import Node
from cnndsl.limits import Limits
from cnndsl.source import Source
from cnndsl.types import TensorType

# Columns, types, rows and outputs that nobody knows: what is wrong where blocks could not be read.
_OF_UNKNOWN_BLOCKS = ("E103", "E104", "E111", "E117")


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """
    What a text says.

    `outputs` are the addresses of the rows that are the network's results, `whole` is the text with
    the blocks of included files in the places of their `include`.
    """

    outline: Outline
    table: CheckedTable
    outputs: tuple[str, ...]
    whole: Source


def elaborate(document: Document, findings: Findings, limits: Limits | None = None) -> Network:
    """
    The network that a text describes.

    All errors are collected; one `SpecError` is raised for them, those in `findings` included.
    """
    return _network(check_document(document, findings, limits), document.source, findings)


def check_document(
    document: Document, findings: Findings, limits: Limits | None = None
) -> CheckedDocument:
    """What a text says and that it is right. Raises as `elaborate`."""
    limits = limits or Limits()
    refuse_empty(document, findings)
    check_version(document, findings)
    sections = split(document, findings)
    files = IncludedFiles(document.source, limits)
    declared = read_declarations(document, sections, files, limits, findings)
    for block in declared.blocks.values():
        check_block(block, findings)
    outline = read_outline(document, sections.lines, declared.columns, findings)
    refuse_upside_down(outline.rows, findings)
    types = RowTypes(declared.blocks)
    expander = Expander(limits)
    rows = mend_names(outline.rows, types, findings)
    expander.expand(rows, outline.columns, types, findings)
    outputs = find_outputs(sections.lines, expander.rows, findings)
    if not declared.complete:
        findings.forget(_OF_UNKNOWN_BLOCKS)
    check_ends(expander.top, outputs, findings)
    table = check_rows(expander.rows, limits)
    report_failures(table, findings)
    if not outline.rows:
        end = document.lines[-1].span
        fixes = ["a row of type input, with the image's maps and size, and rows that read it"]
        findings.error("E114", "the table has no rows", end, fixes=fixes)
    findings.raise_errors()
    warn_of_unread(table.rows, outputs, findings)
    return CheckedDocument(outline, table, outputs.rows, declared.self_contained)


def _network(checked: CheckedDocument, source: Source, findings: Findings) -> Network:
    """The network of rows that have all been found right."""
    results: dict[str, tuple[str, TensorType]] = {}
    nodes: list[Node] = []
    rows: list[Row] = []
    blocks: list[BlockRow] = []
    leaves: dict[str, tuple[str, ...]] = {}
    table = checked.table
    for row in table.rows:
        assert row.sources is not None
        operands = tuple(results[source] for source in row.sources)
        if row.expansion is not None and row.block is not None:
            results[row.name] = results[row.expansion.result]
            leaves[row.name] = tuple(leaf for part in row.expansion.parts for leaf in leaves[part])
            blocks.append(
                BlockRow(
                    row.name,
                    row.block.name,
                    leaves[row.name],
                    results[row.name][0],
                    operands[0][0],
                    row.span,
                    row.cells,
                    row.uses,
                )
            )
            continue
        assert row.op is not None
        outcome = make_outcome(row, operands, table.limits)
        names = tuple(node.name for node in outcome.nodes)
        nodes += outcome.nodes
        leaves[row.name] = (row.name,)
        rows.append(Row(row.name, row.op, names, row.span, row.cells, row.uses))
        results[row.name] = (names[-1], outcome.result)
    graph = Graph(tuple(nodes), tuple(results[name][0] for name in checked.outputs))
    whole = checked.whole if checked.whole is not source else None
    network = Network(
        checked.outline.name,
        tuple(rows),
        graph,
        checked.outputs,
        source,
        findings.sorted(),
        tuple(blocks),
        whole,
    )
    try:
        check_memory(graph, network.types, table.limits)
    except LimitError as error:
        raise _with_uses(error, rows) from None
    return network


def _with_uses(error: LimitError, rows: list[Row]) -> LimitError:
    """An error of a row, with the rows that have expanded it."""
    row = next((row for row in rows if row.name == error.diagnostics[0].row), None)
    uses = row.uses if row is not None else ()
    return error.at(None, notes=map(str, reversed(uses)))
