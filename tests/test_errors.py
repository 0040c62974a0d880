"""
What a user reads of a wrong text, in full.

Each `errors/NAME.cnn` stands beside `errors/NAME.txt`, the message that it must give. After a
change of a message: `CNNDSL_WRITE_GOLDEN=1 pytest tests/test_errors.py`, and read the difference.
"""

import os
from pathlib import Path

import pytest

from cnndsl.errors import CODES, CnnError, Diagnostic
from cnndsl.frontend.edits import apply_edits
from cnndsl.frontend.load import load_network
from cnndsl.source import Source

CASES = sorted((Path(__file__).parent / "errors").glob("*.cnn"))


def findings(source: Source) -> tuple[Diagnostic, ...]:
    try:
        return load_network(source).warnings
    except CnnError as error:
        return error.diagnostics


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_wrong_text_gives_its_message(path):
    found = findings(Source(path.name, path.read_text(encoding="utf-8")))
    message = "\n".join(map(str, found)) + "\n"
    golden = path.with_suffix(".txt")
    if "CNNDSL_WRITE_GOLDEN" in os.environ:
        golden.write_text(message, encoding="utf-8")
    assert message == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_finding_has_a_listed_code_and_a_place(path):
    found = findings(Source(path.name, path.read_text(encoding="utf-8")))
    assert found
    assert {diagnostic.code for diagnostic in found} <= set(CODES)
    assert all(diagnostic.span is not None for diagnostic in found)
    assert all(diagnostic.fixes for diagnostic in found)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_an_exact_fix_removes_its_finding(path):
    source = Source(path.name, path.read_text(encoding="utf-8"))
    for diagnostic in findings(source):
        for fix in diagnostic.fixes:
            if fix.edits:
                mended = findings(apply_edits(source, fix.edits))
                assert (diagnostic.code, diagnostic.message) not in {
                    (d.code, d.message) for d in mended
                }, fix


def test_every_golden_message_has_its_text():
    messages = {path.stem for path in (Path(__file__).parent / "errors").glob("*.txt")}
    assert messages == {path.stem for path in CASES}
