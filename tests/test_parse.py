"""Lines are read one by one; what cannot be read costs its own line and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark

from cnndsl.errors import CnnError, FileError, LimitError, SpecError
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.load import load_network
from cnndsl.frontend.parse import line_parser, parse, parse_line
from cnndsl.frontend.reading import decode_source, read_source
from cnndsl.frontend.syntax import BadLine, BlankLine, KeywordLine, OptionsLine, RowLine
from cnndsl.limits import Limits
from cnndsl.resources import resource
from cnndsl.source import Source, Span

GRAMMAR = Lark(
    resource("grammar", "cnn.lark").read_text(encoding="utf-8"), parser="lalr", start="start"
)


def read(text: str, limits: Limits | None = None):
    findings = Findings()
    return parse(Source("t.cnn", text), findings, limits).lines, findings.sorted()


def only_line(text: str):
    (line,), found = read(text)
    assert found == ()
    return line


def words(items) -> list[str]:
    return [word.text for word in items]


def test_a_row_is_a_name_cells_and_options():
    line = only_line("C1  conv 96\t55x55  bias=no dilation = 2   # as printed")
    assert isinstance(line, RowLine)
    assert line.name.text == "C1"
    assert words(line.cells) == ["conv", "96", "55x55"]
    assert [(o.key.text, o.value.text) for o in line.options] == [("bias", "no"), ("dilation", "2")]
    assert line.comment is not None
    assert line.comment.text == "# as printed"


@pytest.mark.parametrize(
    ("text", "kind", "following"),
    [
        ("cnn 1", "version", ["1"]),
        ("network AlexNet", "network", ["AlexNet"]),
        ('network "Fashion MNIST"', "network", ["Fashion MNIST"]),
        ("layer type maps", "header", ["type", "maps"]),
        ("LAYER Type", "header", ["Type"]),
    ],
)
def test_a_keyword_begins_a_line(text, kind, following):
    line = only_line(text)
    assert isinstance(line, KeywordLine)
    assert (line.kind, words(line.words)) == (kind, following)


@pytest.mark.parametrize("text", ["layers conv", "cnn1 conv", "network_2 conv", "C1 layer cnn"])
def test_a_keyword_is_a_whole_word_at_the_beginning(text):
    assert isinstance(only_line(text), RowLine)


def test_a_line_that_begins_with_an_option_continues_the_row_above():
    line = only_line("    range=0..1 labels=labels/digits.txt")
    assert isinstance(line, OptionsLine)
    assert [o.key.text for o in line.options] == ["range", "labels"]


def test_quotation_marks_keep_blanks_and_comment_signs_together():
    line = only_line('In input labels="my labels #1.txt"')
    assert isinstance(line, RowLine)
    assert line.options[0].value.text == "my labels #1.txt"


@pytest.mark.parametrize("dash", ["-", "–", "—", "−"])
def test_any_single_dash_is_the_dash(dash):
    line = only_line(f"F6 dense {dash}")
    assert isinstance(line, RowLine)
    assert line.cells[1].is_dash


def test_blanks_of_word_processors_separate_words():
    line = only_line("C1\u00a0conv\u30006")
    assert isinstance(line, RowLine)
    assert words(line.cells) == ["conv", "6"]


def test_every_word_knows_its_place():
    source = Source("t.cnn", "cnn 1\r\nC1 conv 96 bias=no # note\r\n")
    line = parse(source, Findings()).lines[1]
    assert isinstance(line, RowLine)
    places = [line.name, *line.cells, line.options[0].key, line.options[0].value, line.comment]
    assert [str(word.span) for word in places] == [
        *("t.cnn:2:1", "t.cnn:2:4", "t.cnn:2:9", "t.cnn:2:12", "t.cnn:2:17", "t.cnn:2:20")
    ]
    assert [word.span.text for word in places] == ["C1", "conv", "96", "bias", "no", "# note"]


def test_a_byte_order_mark_and_carriage_returns_change_nothing():
    plain, found = read("cnn 1\nC1 conv 96")
    marked, found_marked = read("\ufeffcnn 1\r\nC1 conv 96\r\n")
    assert found == found_marked == ()
    assert isinstance(marked[0], KeywordLine)
    assert isinstance(marked[1], RowLine)
    assert isinstance(plain[1], RowLine)
    assert words(marked[1].cells) == words(plain[1].cells)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C1 conv r=", "the option has no value"),
        ("C1 conv r= # later", "the option has no value"),
        ("C1 conv a=b=c", "'=' has no meaning here"),
        ("= 3", "'=' has no meaning here"),
        ('C1 conv labels="abc', "the quotation mark is not closed"),
        ('"C1" conv', "quotation marks are for values"),
        ("C1 conv bias=no 96", "the cell '96' stands behind an option"),
        ("C1 conv\0", "the invisible control character U+0000"),
        ("C1 conv\x1b[31m", "the invisible control character U+001B"),
        ("C1 conv \u202e96", "the invisible right-to-left override U+202E"),
        ("C1\rC2", "a carriage return that ends no line"),
        ("| C1 | conv |", "this is a row of a Markdown table"),
    ],
)
def test_a_line_that_cannot_be_read_costs_one_error_and_no_other_line(text, message):
    lines, found = read(f"C0 conv 6\n{text}\nC9 conv 6")
    assert [type(line) for line in lines][::2] == [RowLine, RowLine]
    assert [(d.code, d.span.line) for d in found] == [("E100", 2)]
    assert message in found[0].message
    assert found[0].span.text


def test_an_empty_text_is_one_blank_line():
    lines, found = read("")
    assert [type(line) for line in lines] == [BlankLine]
    assert found == ()


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "\ufeff", "cnn 1\n", "\r\n"])
def test_a_text_without_a_table_is_an_error_with_a_place(text):
    with pytest.raises(SpecError) as caught:
        load_network(Source("t.cnn", text))
    assert "E102" in {d.code for d in caught.value.diagnostics}
    assert all(d.span is not None for d in caught.value.diagnostics)


def test_a_line_longer_than_the_limit_is_left_unread():
    lines, found = read(f"C1 conv {'9' * 100}\nC2 conv 6", Limits(line_length=50))
    assert [type(line) for line in lines] == [BadLine, RowLine]
    assert [d.code for d in found] == ["E301"]


@pytest.mark.parametrize(
    ("text", "limits", "code"),
    [
        ("C1 conv\n" * 11, Limits(rows=10), "E302"),
        ("#" * 101, Limits(text_bytes=100), "E301"),
        ("é" * 60, Limits(text_bytes=100), "E301"),
    ],
)
def test_a_text_larger_than_a_limit_is_not_read(text, limits, code):
    with pytest.raises(LimitError) as caught:
        read(text, limits)
    assert caught.value.code == code


def test_bytes_that_are_no_utf8_are_named_at_their_place():
    with pytest.raises(SpecError) as caught:
        decode_source("t.cnn", b"cnn 1\nnetwork G\xe9ron\n")
    assert str(caught.value).splitlines()[0] == (
        "t.cnn:2:10: error[E100]: the byte 0xE9 is no UTF-8 text"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be"])
def test_other_encodings_are_named(encoding):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    with pytest.raises(SpecError, match=r"UTF-(16|32) text"):
        decode_source("t.cnn", mark + "cnn 1\n".encode(encoding))


def test_a_file_is_read_up_to_the_limit_only(tmp_path):
    path = tmp_path / "big.cnn"
    path.write_bytes(b"#" * 1000)
    with pytest.raises(LimitError, match="999 bytes"):
        read_source(path, Limits(text_bytes=999))
    assert read_source(path, Limits(text_bytes=1000)).text == "#" * 1000


@pytest.mark.parametrize("name", ["missing.cnn", ".", "a\0b.cnn"])
def test_a_file_that_cannot_be_read_is_an_error(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError):
        read_source(name)


# Two words side by side would be one: each brings a blank.
SEPARATE_WORDS = st.from_regex(r"[^ \t\u00a0\u3000\r\n#=\"]+", fullmatch=True).map("{} ".format)
COMPARISONS = st.from_regex(r"[0-9($][a-z0-9]*[=<>!]=[a-z0-9]*", fullmatch=True)
SEPARATE = {"WORD": SEPARATE_WORDS, "COMPARISON": COMPARISONS.map(" {} ".format)}


@given(from_lark(GRAMMAR, start="start", explicit=SEPARATE))
def test_every_line_of_the_grammar_is_parsed(text):
    line_parser().parse(text)


@given(from_lark(GRAMMAR, start="start"))
def test_every_line_of_the_grammar_becomes_a_line_or_a_finding(text):
    findings = Findings()
    line = parse_line(Span(Source("t.cnn", text), 0, len(text)), findings)
    assert not isinstance(line, BadLine) or findings.any


@given(st.text())
def test_any_text_becomes_lines_that_cover_it(text):
    lines, _ = read(text)
    rebuilt = "\n".join(line.span.text for line in lines)
    assert rebuilt.replace("\r", "") == text.removeprefix("\ufeff").replace("\r", "")


@given(st.text(alphabet='cnn1 layertypmax-?=#"\n\t.,+x5é\u3000\r\ufeff'))
def test_any_text_is_a_network_or_an_error_with_a_place(text):
    with pytest.raises(CnnError) as caught:
        load_network(Source("t.cnn", text))
    assert all(d.span is not None for d in caught.value.diagnostics)


@given(st.binary())
def test_any_bytes_are_a_text_or_an_error(data):
    try:
        source = decode_source("t.cnn", data)
    except SpecError:
        return
    assert source.text.encode() == data
