"""`cnndsl verify --against`: PyTorch and ONNX models say what is right, row by row."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.interop.safetensors_file import save_safetensors

pytestmark = pytest.mark.cache

# Two branches of one shape, a residual sum, a normalization, and a dense row behind an image.
TABLE = """\
cnn 1
network Branches
layer  type        maps  size   kernel  stride  padding  activation  from
In     input       3     12x12
A      conv        8     12x12  3x3     1       same     relu        In   norm=batch(1e-5)
B      conv        8     12x12  3x3     1       same     relu        A
C      conv        8     12x12  3x3     1       same     relu        A
Sum    add         8     12x12  -       -       -        -           B,C
Pool   maxpool     8     6x6    2x2     2       valid
F      dense       16    -      -       -       -        tanh
Out    dense       5     -      -       -       -        softmax
"""


@pytest.fixture
def model(tmp_path):
    (tmp_path / "net.cnn").write_text(TABLE)
    model = cnndsl.compile(str(tmp_path / "net.cnn"), seed=3)
    save_safetensors(tmp_path / "net.safetensors", model.weights, {})
    return model


@pytest.fixture
def cli(cli, model):
    """The command line, in the folder of the network and its weights."""
    return cli


def against(cli, what, *arguments):
    common = ("verify", "net.cnn", "--weights", "net.safetensors", "--against", what, "--batch", 2)
    outcome = cli(*common, *arguments, "--json")
    assert outcome.err == ""
    return outcome.status, json.loads(outcome.out)


def export(weights, table=TABLE):
    """The network with these weights as `other.onnx`."""
    pytest.importorskip("onnx")
    network = cnndsl.parse(text=table)
    other = cnndsl.compile(network, weights, target="reference")
    cnndsl.to_onnx(other, "other.onnx")


@pytest.mark.peers
def test_pytorch_agrees_in_every_row(cli, torch):
    status, found = against(cli, "torch")
    assert (status, found["first_row_beyond"]) == (0, None)
    assert [row["row"] for row in found["rows"]] == [
        "A", "B", "C", "Sum", "Pool", "F", "Out", "Out",
    ]  # fmt: skip
    assert found["said_by"].startswith("PyTorch ")
    assert 0 < found["output_error"] < 1e-5


@pytest.mark.peers
def test_its_own_export_agrees_row_by_row(cli, model):
    export(model.weights)
    status, found = against(cli, "other.onnx")
    assert (status, found["first_row_beyond"], found["rows_without_counterpart"]) == (0, None, [])
    assert [row["counterpart"] for row in found["rows"]] == [row["row"] for row in found["rows"]]
    assert 0 < found["output_error"] < 1e-5


@pytest.mark.peers
def test_rows_are_found_by_what_they_compute_not_by_name_or_place(cli, model):
    """The other model has the branches under other names and the other way round."""
    rows = TABLE.splitlines()
    rows[5], rows[6] = rows[6].replace("C ", "Right", 1), rows[5].replace("B ", "Left", 1)
    table = "\n".join(rows).replace("B,C", "Left,Right") + "\n"
    weights = {
        name.replace("B.", "Left.").replace("C.", "Right."): w for name, w in model.weights.items()
    }
    export(weights, table)
    status, found = against(cli, "other.onnx")
    assert (status, found["first_row_beyond"]) == (0, None)
    names = {row["row"]: row["counterpart"] for row in found["rows"]}
    assert (names["B"], names["C"]) == ("Left", "Right")


@pytest.mark.peers
def test_the_first_row_that_differs_is_named(cli, model):
    weights = {k: w * np.float32(1.01) if k == "F.weight" else w for k, w in model.weights.items()}
    export(weights)
    status, found = against(cli, "other.onnx")
    assert (status, found["first_row_beyond"]) == (1, "F")
    said = cli("verify", "net.cnn", "--weights", "net.safetensors", "--against", "other.onnx")
    assert said.status == 1
    assert "in other.onnx" in said.out
    assert "* beyond 0.0001, first in row F" in said.out


@pytest.mark.peers
def test_a_row_that_the_other_has_not_is_said(cli, model):
    export(model.weights, TABLE.replace("softmax", "-      "))
    status, found = against(cli, "other.onnx")
    assert status == 1
    assert found["first_row_beyond"] is None
    said = cli("verify", "net.cnn", "--weights", "net.safetensors", "--against", "other.onnx")
    assert "beyond 0.0001, against other.onnx in " in said.out


@pytest.mark.peers
def test_without_onnx_runtime_onnx_itself_computes_the_outputs(cli, model, monkeypatch):
    export(model.weights)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    status, found = against(cli, "other.onnx")
    assert status == 0
    assert " in onnx " in found["said_by"]


@pytest.mark.peers
def test_a_model_of_other_sizes_is_refused(cli, model):
    pytest.importorskip("onnx")
    smaller = cnndsl.compile(
        cnndsl.parse(text=TABLE.replace("12x12", "10x10").replace("6x6", "5x5")), seed=0,
        target="reference",
    )  # fmt: skip
    cnndsl.to_onnx(smaller, "other.onnx")
    outcome = cli("verify", "net.cnn", "--seed", "0", "--against", "other.onnx")
    assert outcome.status == 1
    assert "error[E604]: the network reads 12x12 with 3 maps, and other.onnx reads" in outcome.err


def test_what_is_neither_a_word_nor_a_model_is_a_mistake_in_the_command(cli):
    outcome = cli("verify", "net.cnn", "--against", "tensorflow")
    assert outcome.status == 2
    assert "'tensorflow' is not reference, torch, or the name of an .onnx file" in outcome.err


def test_a_file_that_is_not_there_is_said(cli):
    pytest.importorskip("onnx")
    outcome = cli("verify", "net.cnn", "--seed", "0", "--against", "absent.onnx")
    assert outcome.status == 1
    assert "cannot read absent.onnx" in outcome.err
    assert not Path("absent.onnx").exists()
