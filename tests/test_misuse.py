"""Calls and commands that were meant otherwise are told what would be right."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from cli_calls import SMALL

import cnndsl
from cnndsl.errors import CnnError, InputError, WeightsError
from cnndsl.interop.safetensors_file import save_safetensors

SCALED = SMALL.replace("1     28x28", "1     28x28  -  -  -  -  range=0..1", 1)


@pytest.fixture
def model():
    return cnndsl.compile(cnndsl.parse(text=SCALED), seed=0, target="reference")


@pytest.mark.parametrize("kind", ["uint8", "int64", "int32", "uint16"])
def test_pixels_as_integers_are_no_scaled_numbers(model, kind):
    pixels = np.full((28, 28, 1), 255, kind)
    with pytest.raises(InputError, match=f"holds {kind}") as caught:
        model(pixels)
    assert "preprocess" in str(caught.value)
    assert model(pixels.astype(bool)).shape == (10,)


def test_integers_are_numbers_where_no_row_scales_pixels():
    plain = cnndsl.compile(cnndsl.parse(text=SMALL), seed=0, target="reference")
    ones = np.ones((28, 28, 1), np.int64)
    np.testing.assert_array_equal(plain(ones), plain(ones.astype(np.float32)))


@pytest.mark.parametrize("picture", ["digit.png", Path("digit.png"), b"digit.png"])
def test_a_pictures_name_is_no_picture(model, picture):
    with pytest.raises(InputError, match="is a text"):
        cnndsl.preprocess(picture, model)


def test_a_model_is_copied_as_itself_and_not_pickled(model):
    assert copy.copy(model) is model
    assert copy.deepcopy({"model": model})["model"] is model
    with pytest.raises(CnnError, match=r"cnndsl\.load"):
        pickle.dumps(model)


@pytest.mark.parametrize("name", [3, b"C1.bias", None, ("C1", "bias")])
def test_weights_are_called_by_texts(model, name):
    weights = {**model.weights, name: np.zeros(4, np.float32)}
    with pytest.raises(WeightsError, match="called by texts"):
        cnndsl.compile(model.network, weights)


@pytest.mark.filterwarnings("error")
def test_a_file_of_larger_numbers_than_float32_has_is_refused(model, tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    weights = {name: np.array(w, np.float64) for name, w in model.weights.items()}
    weights["C1.bias"][1] = 1e39
    save_file(weights, tmp_path / "large.safetensors")
    with pytest.raises(WeightsError, match=r"C1\.bias: it has numbers that are too large"):
        cnndsl.compile(model.network, tmp_path / "large.safetensors")


@pytest.fixture
def files(cli, model):
    """A table and its weights, in the folder where commands are called."""
    Path("net.cnn").write_text(SMALL)
    Path("paper.md").write_text("| layer | type | maps | size |\n|---|---|---|---|\n")
    save_safetensors(Path("net.safetensors"), model.weights, {})
    return cli


@pytest.mark.parametrize(
    ("command", "read"),
    [
        ("compile net.cnn --seed 0 -o net.cnn", "net.cnn"),
        ("compile net.cnn --seed 0 -o ./net.cnn", "net.cnn"),
        ("compile net.cnn --weights net.safetensors -o net.safetensors", "net.safetensors"),
        ("import table paper.md -o paper.md", "paper.md"),
        ("import weights net.safetensors --for net.cnn -o net.safetensors", "net.safetensors"),
        ("import weights net.safetensors --for net.cnn -o net.cnn", "net.cnn"),
    ],
)
def test_no_command_writes_over_what_it_reads(files, command, read):
    before = Path(read).read_bytes()
    refused = files(*command.split())
    assert refused.status == 2
    assert "would replace it" in refused.err
    assert Path(read).read_bytes() == before


@pytest.mark.parametrize("seed", ["-1", "1.5", "x", "9" * 30])
def test_a_seed_is_a_whole_number(files, seed):
    refused = files("compile", "net.cnn", f"--seed={seed}")
    assert refused.status == 2
    assert "is not a whole number" in refused.err
