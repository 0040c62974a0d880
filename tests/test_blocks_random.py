"""Blocks made from random networks: the graph is that of the flat table, up to the names."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from near_misses import mutated
from strategies import DrawnRow, drawn_rows, values_of

from cnndsl.errors import CODES, CnnError
from cnndsl.frontend.format import format_text
from cnndsl.frontend.load import load_network
from cnndsl.ir.network import Network
from cnndsl.ir.text import format_graph
from cnndsl.ir.verify import verify
from cnndsl.source import Source

randoms = st.randoms(use_true_random=False)


def load(text: str) -> Network:
    return load_network(Source("t.cnn", text))


def flat_text(rows: list[DrawnRow]) -> str:
    lines = ["cnn 1", "network Drawn", "", "layer  type"]
    for row in rows:
        lines.append(row_line(row, values(row, rows)))
    return "\n".join(lines) + "\n"


def block_text(rows: list[DrawnRow], random: Random) -> str:
    """Some rows of a network as a block, some of their values as its parameters."""
    first = random.randrange(1, len(rows))
    last = random.randrange(first, len(rows))
    operand = rows[rows[first].reads or 0].name
    arguments: dict[str, str] = {}
    block = ["layer  type"]
    for i in range(first, last + 1):
        given = values(rows[i], rows)
        reads = rows[i].reads or 0
        if reads < first:
            given["from"] = (
                "in" if rows[reads].name == operand else argument(given["from"], arguments)
            )
        for name in sorted(given):
            if name != "from" and random.random() < 0.4:
                given[name] = argument(given[name], arguments)
        block.append(row_line(rows[i], given))
    use = {"from": operand, **arguments}
    addresses = {row.name: f"B.{row.name}" for row in rows[first : last + 1]}
    addresses[rows[last].name] = "B"
    lines = ["layer  type"]
    for i, row in enumerate(rows):
        if i == first:
            lines.append(" ".join(["B", "Block", *(f'{k}="{v}"' for k, v in use.items())]))
        if not first <= i <= last:
            given = values(row, rows)
            if "from" in given:
                given["from"] = addresses.get(given["from"], given["from"])
            lines.append(row_line(row, given))
    head = f"block Block({', '.join(arguments)})"
    return "\n".join(["cnn 1", "network Drawn", "", head, *block, "end", "", *lines]) + "\n"


def argument(value: str, arguments: dict[str, str]) -> str:
    """A parameter for a value, as a cell names it."""
    name = f"p{len(arguments)}"
    arguments[name] = value
    return f"${name}"


def values(row: DrawnRow, rows: list[DrawnRow]) -> dict[str, str]:
    given = values_of(row, rows)
    return given if row.reads is None else {**given, "from": rows[row.reads].name}


def row_line(row: DrawnRow, given: dict[str, str]) -> str:
    options = [f'{name}="{text}"' for name, text in given.items()]
    return " ".join([row.name, row.op.row_type, *options])


@given(drawn_rows(), randoms)
def test_a_block_is_the_rows_that_it_stands_for(rows, random):
    network = load(block_text(rows, random))
    verify(network.ir)
    flat = format_graph(load(flat_text(rows)).ir)
    assert format_graph(network.ir).replace("B.", "") == flat
    assert network.params == load(flat_text(rows)).params


@given(drawn_rows(), randoms)
def test_formatting_blocks_changes_no_meaning_and_is_done_at_once(rows, random):
    text = block_text(rows, random)
    formatted = format_text(Source("t.cnn", text))
    assert format_text(Source("t.cnn", formatted)) == formatted
    assert format_graph(load(formatted).ir) == format_graph(load(text).ir)


@given(st.builds(block_text, drawn_rows(), randoms).flatmap(mutated))
def test_a_near_miss_of_a_text_with_blocks_is_a_network_or_has_findings_with_places(text):
    try:
        found = load(text).warnings
    except CnnError as error:
        found = error.diagnostics
        assert any(diagnostic.severity == "error" for diagnostic in found)
    for diagnostic in found:
        assert diagnostic.code in CODES
        assert diagnostic.span is not None
        assert str(diagnostic)
