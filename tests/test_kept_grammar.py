"""The grammar's tables are kept for later processes, and a cache without them is no hindrance."""

import warnings

import lark
import pytest

from cnndsl.cache import FileCache
from cnndsl.frontend import kept_grammar
from cnndsl.frontend.kept_grammar import parser_of
from cnndsl.resources import resource

GRAMMAR = resource("grammar", "cnn.lark").read_text(encoding="utf-8")
LINES = ["C1  conv  6  28x28  bias=no  # a comment", "block Name(maps, stride=1)", "", "end"]
WRONG = ["C1 conv bias=", 'C1 "conv', "C1 a=b=c", "block Name("]


@pytest.fixture
def cache(monkeypatch, tmp_path) -> FileCache:
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path / "cache"))
    return FileCache(tmp_path / "cache")


def made_anew(monkeypatch) -> list[str]:
    """What is made of a grammar's text from now on."""
    made: list[str] = []

    class Noting(lark.Lark):
        def __init__(self, grammar, **options):
            made.append(grammar)
            super().__init__(grammar, **options)

    monkeypatch.setattr(lark, "Lark", Noting)
    return made


def test_a_parser_of_kept_tables_reads_and_refuses_what_another_does(cache, monkeypatch):
    first = parser_of(GRAMMAR)
    assert [entry.name for entry in cache.entries()] == ["grammar"]
    made = made_anew(monkeypatch)
    kept = parser_of(GRAMMAR)
    assert not made
    for line in LINES:
        assert kept.parse(line) == first.parse(line)
    for line in WRONG:
        errors = []
        for parser in (first, kept):
            with pytest.raises(lark.exceptions.UnexpectedInput) as info:
                parser.parse(line)
            errors.append((type(info.value), str(info.value), info.value.pos_in_stream))
        assert errors[0] == errors[1]


def test_other_tables_than_these_are_not_taken(cache, monkeypatch):
    parser_of(GRAMMAR)
    made = made_anew(monkeypatch)
    parser_of(GRAMMAR + "\n")
    monkeypatch.setattr(lark, "__version__", "99.0")
    parser_of(GRAMMAR)
    assert made == [GRAMMAR + "\n", GRAMMAR]


@pytest.mark.parametrize("content", [b"", b"no tables", b"\x80\x04}\x94."])
def test_tables_that_lark_does_not_take_are_made_anew_and_mended(cache, monkeypatch, content):
    cache.put("grammar", kept_grammar._key(GRAMMAR, True), content)
    made = made_anew(monkeypatch)
    assert parser_of(GRAMMAR).parse(LINES[0])
    assert parser_of(GRAMMAR).parse(LINES[0])
    assert made == [GRAMMAR]


def test_a_cache_that_cannot_be_written_is_not_missed(monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parser_of(GRAMMAR).parse(LINES[0])
