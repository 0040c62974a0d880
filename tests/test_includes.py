"""A file takes the blocks of files in its folder, and of no others."""

import os

import numpy as np
import pytest

from cnndsl.api import compile as compile_network
from cnndsl.api import parse
from cnndsl.errors import CnnError, LimitError, SpecError
from cnndsl.frontend.format import format_text
from cnndsl.frontend.load import load_network, read_source
from cnndsl.ir.text import format_graph
from cnndsl.limits import Limits
from cnndsl.loading import load
from cnndsl.source import Source

BLOCK = "block {0}(maps)\nlayer type maps kernel\nc1 conv $maps {1}\nend\n"
USE = "layer type maps size\nIn input 3 8x8\nA {0} 4 ?\n"


@pytest.fixture
def write(tmp_path):
    """Write a file of the test's folder; returns its path."""

    def write_file(name: str, *parts: str):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(["cnn 1", *parts]), encoding="utf-8")
        return path

    return write_file


def error_of(path) -> CnnError:
    with pytest.raises(CnnError) as caught:
        parse(path)
    return caught.value


def test_a_file_takes_the_blocks_of_another_and_not_its_network(write):
    write("blocks.cnn", BLOCK.format("B", "3x3"), "network Other", USE.format("B"))
    network = parse(write("net.cnn", 'include "blocks.cnn"', USE.format("B")))
    assert (network.name, [row.name for row in network.rows]) == ("net", ["In", "A.c1"])


def test_an_included_file_includes_from_its_own_folder(write):
    write("lib/inner.cnn", BLOCK.format("Inner", "1x1"))
    write(
        "lib/blocks.cnn", "include inner.cnn", "block B(maps)\nlayer type maps\na Inner $maps\nend"
    )
    network = parse(write("net.cnn", "include lib/blocks.cnn", USE.format("B")))
    assert network["A.a.c1"].shape == (8, 8, 4)


def test_a_file_that_two_others_include_is_taken_once(write):
    write("base.cnn", BLOCK.format("Base", "1x1"))
    for name in "BC":
        block = f"block {name}(maps)\nlayer type maps\na Base $maps\nend"
        write(f"{name}.cnn", "include base.cnn", block)
    uses = "layer type maps size\nIn input 3 8x8\nA B 4 ?\nD C 4 ?"
    assert len(parse(write("net.cnn", "include B.cnn", "include C.cnn", uses))) == 3


def test_an_error_in_an_included_block_has_its_place_there(write):
    write("blocks.cnn", BLOCK.format("B", "9x9"))
    error = error_of(write("net.cnn", "include blocks.cnn", USE.format("B")))
    assert error.span.source.name.endswith("blocks.cnn")
    assert "net.cnn:5:1" in error.diagnostics[0].notes[-1]


@pytest.mark.parametrize("name", ["../outside.cnn", "/etc/passwd", ".", "link.cnn", "a\\..\\b"])
def test_what_lies_outside_of_the_folder_is_not_included(write, tmp_path, name):
    write("outside.cnn", BLOCK.format("B", "1x1"))
    path = write("inside/net.cnn", f'include "{name}"', USE.format("B"))
    (tmp_path / "inside" / "link.cnn").symlink_to(tmp_path / "outside.cnn")
    assert error_of(path).code in ("E115", "E801")


def test_a_missing_file_is_said_at_its_name(write):
    error = error_of(write("net.cnn", "include blocks.cnn", USE.format("conv")))
    assert (error.code, error.span.text) == ("E801", "blocks.cnn")


def test_a_missing_file_is_one_error_whatever_its_blocks_were_for(write):
    rows = [
        "layer type maps size kernel project",
        "In input 3 8x8",
        "A Res 4 8x8 - yes",
        "B Res 4 8x8 - - from=In",
        "C conv 4 8x8 1x1 - from=A.c1",
        "D dense 0",
    ]
    error = error_of(write("net.cnn", "include blocks.cnn", "outputs A.c1, D", *rows))
    assert [diagnostic.code for diagnostic in error.diagnostics] == ["E801", "E108"]


@pytest.mark.parametrize("names", [["net.cnn"], ["b.cnn", "net.cnn"], ["b.cnn", "c.cnn", "b.cnn"]])
def test_files_that_include_each_other_are_refused(write, names):
    above = "net.cnn"
    for name in names:
        path = write(above, f"include {name}", BLOCK.format(f"B{len(above)}", "1x1"))
        above = name
    error = error_of(path.parent / "net.cnn")
    assert error.code == "E115"
    assert "each other" in str(error)


def test_files_in_files_have_a_limit(write):
    for i in range(20):
        write(f"f{i}.cnn", f"include f{i + 1}.cnn", BLOCK.format(f"B{i}", "1x1"))
    assert error_of(write("net.cnn", "include f0.cnn", USE.format("B0"))).code == "E305"


def test_all_files_together_have_the_limit_of_one_text(write):
    write("blocks.cnn", BLOCK.format("B", "1x1"), "# " + "x" * 2000)
    path = write("net.cnn", "include blocks.cnn", USE.format("B"))
    with pytest.raises(CnnError) as caught:
        parse(path, limits=Limits(text_bytes=2100))
    assert caught.value.code == "E301"


@pytest.mark.parametrize("line", ["include", "include a.cnn b.cnn"])
def test_include_names_one_file(write, line):
    assert error_of(write("net.cnn", line, USE.format("conv"))).code == "E115"


def test_a_text_that_is_no_file_includes_nothing():
    text = "cnn 1\ninclude specs/alexnet.cnn\n" + USE.format("conv").replace("?", "? kernel=1")
    with pytest.raises(SpecError) as caught:
        load_network(Source("t.cnn", text))
    assert caught.value.code == "E115"


def test_a_compiled_model_needs_no_other_file(write, tmp_path):
    write("base.cnn", BLOCK.format("Base", "1x1"))
    block = "block B(maps)\nlayer type maps\na Base $maps\nb Base $maps\nend"
    write("blocks.cnn", "include base.cnn", block)
    network = parse(write("net.cnn", "# why", "include blocks.cnn  # what", USE.format("B")))
    model = compile_network(network, seed=0)
    model.save(tmp_path / "net.cnnm")
    for name in ("base.cnn", "blocks.cnn", "net.cnn"):
        os.remove(tmp_path / name)
    again = load(tmp_path / "net.cnnm")
    assert format_graph(again.network.ir) == format_graph(network.ir)
    x = np.ones((1, 8, 8, 3), np.float32)
    assert np.array_equal(again(x), model(x))


def test_formatting_and_filling_keep_the_include(write):
    write("blocks.cnn", BLOCK.format("B", "3x3"))
    source = read_source(write("net.cnn", "include   blocks.cnn", USE.format("B")))
    assert "include blocks.cnn\n" in format_text(source)
    assert "A      B      4     6x6\n" in format_text(source, fill=True)


def test_a_limit_of_an_included_file_is_an_error_at_its_include(write):
    write("blocks.cnn", "#" * 3000)
    path = write("net.cnn", "include blocks.cnn", USE.format("conv"))
    with pytest.raises(CnnError) as caught:
        parse(path, limits=Limits(text_bytes=1000))
    assert not isinstance(caught.value, LimitError) or caught.value.code == "E301"
