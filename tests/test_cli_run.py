"""Compiling from the command line, and running what was compiled on pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_calls import Cli, Outcome

import cnndsl
from cnndsl.interop.weights import seeded_weights

pillow = pytest.importorskip("PIL.Image")
save_file = pytest.importorskip("safetensors.numpy").save_file

# The output is the input's four cells: the brightest corner wins.
TABLE = """\
cnn 1
network Corners
layer  type   maps  size
In     input  1     2x2    range=0..1 fit=stretch labels=corners.txt
Out    dense  4     -      bias=no
"""
LABELS = "top left\ntop right\nbottom left\nbottom right\n"


@pytest.fixture
def cli(cli) -> Cli:
    Path("corners.cnn").write_text(TABLE, encoding="utf-8")
    Path("corners.txt").write_text(LABELS, encoding="utf-8")
    save_file({"Out.weight": np.eye(4, dtype=np.float32)}, "corners.safetensors")
    Path("pictures").mkdir()
    for name, cells in {"a": [0, 0, 0, 255], "b": [51, 204, 0, 0]}.items():
        picture = np.array(cells, np.uint8).reshape(2, 2)
        pillow.fromarray(picture).save(f"pictures/{name}.png")
    return cli


def run(cli: Cli, *arguments: object) -> Outcome:
    return cli(
        "run", "corners.cnn", *arguments, "--weights", "corners.safetensors",
        "--target", "reference",
    )  # fmt: skip


def test_run_prints_the_best_classes_of_every_picture_of_a_folder(cli):
    outcome = run(cli, "pictures", "--top", "2")
    assert outcome.status == 0
    assert outcome.out == (
        "pictures/a.png: bottom right (1), top left (0)\n"
        "pictures/b.png: top right (0.8), top left (0.2)\n"
    )


def test_the_only_input_may_be_named_as_one_of_several_is(cli):
    assert run(cli, "In=pictures/a.png").out == run(cli, "pictures/a.png").out
    assert run(cli, "In=pictures").out == run(cli, "pictures").out
    Path("In=b.png").write_bytes(Path("pictures/b.png").read_bytes())
    assert run(cli, "In=b.png").out.startswith("In=b.png: top right")


def test_run_writes_the_same_for_programs(cli):
    outcome = run(cli, "pictures/b.png", "--top", "1", "--json")
    assert json.loads(outcome.out) == {
        "model": "corners.cnn",
        "results": [
            {
                "file": "pictures/b.png",
                "index": None,
                "output": "Out",
                "top": [{"class": 1, "label": "top right", "value": pytest.approx(0.8)}],
            }
        ],
        "diagnostics": [],
    }


def test_unreadable_pictures_are_reported_each_and_the_rest_still_run(cli):
    Path("pictures/broken.png").write_bytes(Path("pictures/a.png").read_bytes()[:40])
    Path("pictures/text.jpg").write_text("no picture", encoding="utf-8")
    outcome = run(cli, "pictures", "absent.png")
    assert outcome.status == 1
    assert outcome.out.count("\n") == 2
    assert outcome.err.count("error[E603]") == 3
    for name in ("pictures/broken.png", "pictures/text.jpg", "absent.png"):
        assert f"{name}: it " in outcome.err


def test_arrays_of_floats_are_the_networks_input_and_of_bytes_are_pictures(cli):
    floats = np.array([[0, 0, 3, 0], [5, 0, 0, 0]], np.float32).reshape(2, 2, 2, 1)
    np.save("floats.npy", floats)
    np.save("bytes.npy", np.array([[0, 255], [0, 0]], np.uint8))
    outcome = run(cli, "floats.npy", "bytes.npy", "--top", "1", "-o", "y.npy")
    assert outcome.out == (
        "floats.npy[0]: bottom left (3)\nfloats.npy[1]: top left (5)\nbytes.npy: top right (1)\n"
    )
    np.testing.assert_allclose(np.load("y.npy")[:2], floats.reshape(2, 4))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 5), np.float32), "reads [n, 2, 2, 1]"),
        (np.zeros((1, 3, 2, 2, 1), np.float32), "x.reshape(-1, 2, 2, 1)"),
        (np.zeros((5, 5), np.float32), "shape is [5, 5]"),
        (np.full((2, 2, 1), np.nan, np.float32), "4 of its 4 numbers are NaN or infinite"),
        (np.zeros((2, 2, 2, 5), np.uint8), "is no picture"),
        (np.float32(1), "reads [n, 2, 2, 1]"),
        (np.array(["a"]), "the network reads float32"),
        (np.array([None]), "it cannot be read"),
    ],
)
def test_arrays_that_do_not_fit_are_reported_with_their_file(cli, array, message):
    np.save("wrong.npy", array, allow_pickle=True)
    outcome = run(cli, "wrong.npy", "pictures/a.png")
    assert outcome.status == 1
    assert "wrong.npy: " in outcome.err
    assert message in outcome.err
    assert outcome.out.startswith("pictures/a.png: ")


@pytest.mark.parametrize("batch", [1, 2, 3, 16])
def test_the_size_of_batches_changes_no_result(cli, batch):
    images = np.random.default_rng(0).random((7, 2, 2, 1)).astype(np.float32)
    np.save("x.npy", images)
    run(cli, "x.npy", "--batch", batch, "-o", "y.npy")
    np.testing.assert_allclose(np.load("y.npy"), images.reshape(7, 4))


@pytest.mark.parametrize(
    ("mode", "cells", "expected"),
    [
        ("RGB", (255, 255, 255), 1.0),
        ("RGBA", (0, 0, 0, 0), 1.0),
        ("LA", (0, 255), 0.0),
        ("CMYK", (0, 0, 0, 255), 0.0),
        ("1", 1, 1.0),
        ("P", 0, 0.0),
        ("I;16", 65535, 1.0),
    ],
)
def test_pictures_of_every_mode_are_read_and_transparency_is_white(cli, mode, cells, expected):
    suffix = "tif" if mode == "CMYK" else "png"
    pillow.new(mode, (2, 2), cells).save(f"p.{suffix}")
    run(cli, f"p.{suffix}", "-o", "y.npy")
    np.testing.assert_allclose(np.load("y.npy"), np.full((1, 4), expected), atol=1e-6)


def test_photographs_are_turned_upright(cli):
    picture = pillow.fromarray(np.array([[255, 0], [0, 0]], np.uint8))
    exif = pillow.Exif()
    exif[0x0112] = 3  # the camera was upside down
    picture.save("turned.png", exif=exif)
    assert "bottom right (1)" in run(cli, "turned.png").out


def test_where_distances_are_compared_the_smallest_is_first(cli):
    table = TABLE.replace("dense  4     -      bias=no", "rbf    4     -      distance=squared")
    Path("corners.cnn").write_text(table, encoding="utf-8")
    outcome = run(cli, "pictures/a.png")
    assert outcome.out == "pictures/a.png: bottom right (0), top left (2), top right (2)\n"


def test_what_the_input_row_leaves_unsaid_is_asked_for_once(cli):
    Path("corners.cnn").write_text(TABLE.replace("range=0..1", ""), encoding="utf-8")
    outcome = run(cli, "pictures")
    assert outcome.status == 1
    assert outcome.err.count("error[E603]") == 1
    assert "fix: range=0..1" in outcome.err


def test_outputs_that_are_images_can_only_be_written(cli):
    table = TABLE.replace("dense  4     -      bias=no", "maxpool  1  1x1  kernel=2 stride=2")
    Path("corners.cnn").write_text(table.replace("labels=corners.txt", ""), encoding="utf-8")
    assert "-o FILE.npy" in cli("run", "corners.cnn", "pictures").err
    assert cli("run", "corners.cnn", "pictures", "-o", "y.npy").status == 0
    assert np.load("y.npy").shape == (2, 1, 1, 1)


def test_empty_folders_and_missing_weights_are_said(cli):
    Path("empty").mkdir()
    assert "no pictures in empty" in run(cli, "empty").err
    outcome = cli("run", "corners.cnn", "pictures")
    assert outcome.status == 1
    assert "error[E401]" in outcome.err
    assert "--seed 0" in outcome.err


def test_without_pillow_arrays_still_run_and_pictures_name_the_extra(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    np.save("x.npy", np.zeros((1, 2, 2, 1), np.float32))
    assert run(cli, "x.npy").status == 0
    outcome = run(cli, "pictures")
    assert outcome.status == 1
    assert "error[E803]" in outcome.err
    assert 'pip install "cnndsl[cli]"' in outcome.err


def test_a_compiled_file_runs_as_its_table_does(cli):
    assert cli("compile", "corners.cnn", "--weights", "corners.safetensors").status == 0
    outcome = cli("run", "corners.cnnm", "pictures", "--threads", "1")
    assert outcome.out == run(cli, "pictures").out
    assert "4 " in cli("show", "corners.cnnm").out
    assert "it has its weights" in cli("run", "corners.cnnm", "pictures", "--seed", "1").err


def test_compile_draws_weights_from_a_seed(cli):
    outcome = cli("compile", "corners.cnn", "--seed", "7", "-o", "drawn.cnnm")
    assert outcome.status == 0
    assert "drawn.cnnm: " in outcome.err
    drawn = cnndsl.load("drawn.cnnm", target="reference").weights
    expected = seeded_weights(cnndsl.parse("corners.cnn").param_table, 7)
    np.testing.assert_array_equal(drawn["Out.weight"], expected["Out.weight"])


def test_wrong_weights_are_listed_with_their_rows(cli):
    save_file({"Out.weight": np.zeros((4, 5), np.float32), "X.bias": np.zeros(1)}, "w.safetensors")
    outcome = cli("compile", "corners.cnn", "--weights", "w.safetensors")
    assert outcome.status == 1
    assert outcome.err.count("error[E401]: row ") == 2
    assert not Path("corners.cnnm").exists()


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("graph", "Out = dense(Out.flatten) maps=4 bias=no : f32[4]"),
        ("plan", "arena: "),
        ("python", "input"),
        ("llvm", "define "),
        ("asm", ".globl"),
    ],
)
def test_every_stage_of_the_compilation_prints(cli, stage, expected):
    outcome = cli("compile", "corners.cnn", "--emit", stage)
    assert outcome.status == 0
    assert expected in outcome.out
    assert not Path("corners.cnnm").exists()


def test_bench_measures_every_batch_on_every_number_of_threads(cli):
    arguments = ["bench", "corners.cnn", "--batch", "1,3", "--threads", "1,2", "--seconds", "0"]
    found = json.loads(cli(*arguments, "--json").out)["measurements"]
    assert [(m["batch"], m["threads"]) for m in found] == [(1, 1), (3, 1), (1, 2), (3, 2)]
    assert all(m["calls"] >= 5 and m["median_ms"] > 0 for m in found)
    printed = cli(*arguments, "--target", "reference").out
    assert len(printed.splitlines()) == 5
    assert "GFLOP/s" in printed


def test_bench_refuses_batches_beyond_the_limit(cli):
    outcome = cli("bench", "lenet5", "--batch", "1000000", "--max-memory", "1G")
    assert outcome.status == 1
    assert "error[E304]" in outcome.err


def test_a_file_that_is_no_picture_is_told_apart_from_an_empty_and_a_damaged_one(cli):
    digit = Path(__file__).parents[1] / "examples" / "digits" / "7_a.png"
    picture = digit.read_bytes()
    for name, data, said in [
        ("empty.png", b"", "it is empty"),
        ("page.png", b"<html>", "save it as .png or .jpg"),
        ("a.npz", b"PK", "numpy.save"),
        ("cut.png", picture[: len(picture) // 2], "copied again"),
    ]:
        Path(name).write_bytes(data)
        outcome = run(cli, name)
        assert outcome.status == 1
        assert f"error[E603]: {name}: it " in outcome.err
        assert said in outcome.err


def test_a_picture_is_read_from_standard_input(cli):
    examples = Path(__file__).parents[1] / "examples"
    picture = (examples / "digits" / "7_a.png").read_bytes()
    outcome = cli("run", "lenet5", "-", "--top", "1", stdin=picture)
    assert outcome.status == 0
    assert outcome.out.startswith("-: 7 (")
    outcome = cli("run", "lenet5", "-", stdin=b"")
    assert (outcome.status, "it is no picture" in outcome.err) == (1, True)
