"""The documentation speaks of files that exist and shows what the compiler prints."""

import re
from pathlib import Path

import pytest

import cnndsl
from cnndsl.compiler import Compilation
from cnndsl.types import Options

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def fenced(page, language):
    """The fenced blocks of a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


@each_page
def test_a_file_that_a_page_names_is_there(page):
    named = re.findall(r"`((?:cnndsl|tests|specs|grammar|docs|\.ci)/[\w./-]*)`", page.read_text())
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


@each_page
def test_a_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text("utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("stage", ["graph", "plan"])
def test_the_architecture_page_shows_what_a_stage_prints(stage):
    shown = fenced(ROOT / "docs" / "architecture.md", stage)
    assert shown
    printed = Compilation(cnndsl.parse("lenet5"), options=Options("strict")).emit(stage)
    for block in shown:
        assert set(block.splitlines()) <= set(printed.splitlines())


def test_the_architecture_page_follows_a_row_of_the_spec():
    (row,) = fenced(ROOT / "docs" / "architecture.md", "cnn")
    assert row in (ROOT / "specs" / "lenet5.cnn").read_text("utf-8")


def test_the_architecture_page_has_a_floor_for_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = {
        name.removesuffix("/").partition("/")[0]
        for line in re.findall(r"^\| \d \|.*$", page, re.M)
        for name in re.findall(r"`([\w/.]+)`", line)
    }
    rooms = {path.name for path in (ROOT / "cnndsl").iterdir() if not path.name.startswith("__")}
    assert rooms == named


def test_the_operator_page_shows_code_as_it_stands():
    blocks = fenced(ROOT / "docs" / "adding-an-operator.md", "python")
    assert blocks
    for block in blocks:
        first, _, code = block.partition("\n")
        assert code in (ROOT / first.removeprefix("# ")).read_text("utf-8")
