"""
The language reference and the list of errors say what is true.

The row types' part of the reference is made from the operators. After a change of one:
`CNNDSL_WRITE_GOLDEN=1 pytest tests/test_language.py`, and read the difference.
"""

import inspect
import os
import re

import pytest

from cnndsl.errors import CODES, CnnError
from cnndsl.frontend.columns import column_names
from cnndsl.frontend.format import format_text
from cnndsl.frontend.load import load_network
from cnndsl.ops.attributes import Attribute, attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.registry import OPERATORS
from cnndsl.resources import resource
from cnndsl.source import Source

LANGUAGE = resource("specs", "language.md")
ERRORS = resource("specs", "errors.md")
MARK = "CNNDSL_WRITE_GOLDEN=1 pytest tests/test_language.py -->\n"
READS = {"image": "an image", "vector": "a vector, or an image that it flattens", "any": "anything"}


def row_type(operator: type[Op]) -> str:
    """The section of one row type."""
    doc = re.sub(r"^>>>.*?(\n\n|\Z)", "", inspect.getdoc(operator) or "", flags=re.DOTALL | re.M)
    summary = operator.summary[0].upper() + operator.summary[1:] + "."
    doc = doc.removeprefix(summary).strip()
    reads = f"Reads {READS[operator.reads]}" if operator.operands else "Reads nothing"
    if operator.operands > 1 or operator.variadic:
        reads = f"Reads {operator.operand_words()}, named in `from`"
    parts = [f"### {operator.row_type}", f"{summary} {reads}.", *([doc] if doc else [])]
    attributes = attributes_of(operator)
    if attributes:
        head = "| attribute | is | default | values |\n|---|---|---|---|"
        parts.append("\n".join([head, *map(attribute_line, attributes)]))
    return "\n\n".join(parts) + "\n"


def attribute_line(attribute: Attribute) -> str:
    names = ", ".join(f"`{name}`" for name in (attribute.name, *attribute.aliases))
    if attribute.required:
        default = "must be given"
    elif attribute.group:
        default = "exactly one of these"
    elif attribute.default in (None, ()):
        default = "-"
    else:
        default = f"`{attribute.kind.format(attribute.default)}`"
    cells = [names, attribute.doc, default, attribute.kind.expects]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def examples(text: str) -> list[str]:
    return re.findall(r"^```cnn\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def sections() -> dict[str, str]:
    """The sections of errors.md by their codes."""
    parts = re.split(r"^## (?=[EW]\d{3}: )", ERRORS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part[:4]: part for part in parts[1:]}


def codes(text: str) -> list[str]:
    try:
        return [warning.code for warning in load_network(Source("example.cnn", text)).warnings]
    except CnnError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]


def test_the_reference_describes_every_row_type_with_its_attributes():
    written, mark, found = LANGUAGE.read_text(encoding="utf-8").partition(MARK)
    assert mark
    expected = "\n" + "\n".join(map(row_type, OPERATORS.values()))
    if "CNNDSL_WRITE_GOLDEN" in os.environ:
        LANGUAGE.write_text(written + mark + expected, encoding="utf-8")
        found = expected
    assert found == expected


def test_the_reference_names_every_claim_and_common_column():
    text = LANGUAGE.read_text(encoding="utf-8")
    for name in column_names():
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("text", examples(LANGUAGE.read_text(encoding="utf-8")))
def test_the_examples_of_the_reference_hold_and_are_formatted(text):
    assert codes(text) == []
    assert format_text(Source("example.cnn", text)) == text


def test_every_code_has_its_section_with_its_meaning_in_order():
    titles = {code: part.partition("\n")[0][6:] for code, part in sections().items()}
    assert titles == CODES
    assert list(titles) == list(CODES)


@pytest.mark.parametrize("code", list(CODES))
def test_a_section_shows_its_error_and_how_it_is_mended(code):
    text = sections()[code]
    tables = examples(text)
    if tables:
        wrong, mended = tables
        assert codes(wrong) == [code]
        assert codes(mended) == []
    else:
        word = "warning" if code.startswith("W") else "error"
        assert f"{word}[{code}]: " in text


def test_every_code_that_a_table_can_cause_is_shown_by_a_table():
    without = {code for code, text in sections().items() if not examples(text)}
    about_tables = {code for code in CODES if code[:2] in ("E1", "E2", "E3", "W1")}
    assert without & about_tables == {"E301", "E302", "E305"}
