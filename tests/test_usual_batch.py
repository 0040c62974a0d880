"""`batch`: what is the fastest for so many images is chosen, and any number can be called."""

import json
import re

import numpy as np
import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.compiler import Compilation
from cnndsl.errors import CnnError
from cnndsl.types import Options

pytestmark = pytest.mark.cache

TEXT = """cnn 1
network Seven

layer  type     maps  size  kernel  stride  padding
In     input    256   7x7
C1     conv     256   7x7   3x3     1       same
C2     conv     4     7x7   1x1     1       valid
"""
BATCHES = (1, 2, 16)


@pytest.fixture(scope="module")
def network():
    return cnndsl.parse(text=TEXT)


def kernel(network, batch: int) -> str:
    """What computes C1."""
    plan = Compilation(network, options=Options(batch=batch)).plan
    (found,) = [step.kernel for step in plan.steps if step.node == "C1"]
    return found


@pytest.mark.parametrize("planned", BATCHES)
def test_an_image_has_the_same_bits_in_every_batch_whichever_is_usual(network, planned):
    x = np.random.default_rng(planned).standard_normal((17, 7, 7, 256), np.float32)
    weights = cnndsl.compile(network, seed=1).weights
    model = cnndsl.compile(network, weights, batch=planned)
    want = np.concatenate([model(image[None]) for image in x])
    for size in (2, 3, 16, 17):
        np.testing.assert_array_equal(model(x[:size]), want[:size])
    reference = cnndsl.compile(network, weights, target="reference")(x)
    np.testing.assert_allclose(want, reference, rtol=0, atol=1e-5 * abs(reference).max())


def test_a_large_batch_is_computed_in_other_squares_than_an_image(network):
    assert kernel(network, 1).startswith("conv_winograd")
    assert kernel(network, 1) != kernel(network, 16)


def test_a_loaded_model_is_planned_for_the_batch_that_is_asked_for(network, tmp_path):
    made = {batch: cnndsl.compile(network, seed=2, batch=batch) for batch in BATCHES}
    made[1].save(tmp_path / "m.cnnm")
    x = np.random.default_rng(0).standard_normal((3, 7, 7, 256), np.float32)
    assert not np.array_equal(made[1](x), made[16](x))
    assert repr(made[16]).endswith(", batch=16>")
    for batch in (*BATCHES, *BATCHES):  # planned, then found planned
        loaded = cnndsl.load(tmp_path / "m.cnnm", batch=batch)
        np.testing.assert_array_equal(loaded(x), made[batch](x))


@pytest.mark.parametrize("batch", [0, -1, 2.5, "16", None, True])
def test_a_batch_that_is_no_number_of_images_is_refused(network, batch):
    with pytest.raises(CnnError, match=f"batch is a whole number of at least 1, not {batch!r}"):
        cnndsl.compile(network, seed=0, batch=batch)


def test_the_command_line_chooses_by_batch(capsys, monkeypatch, tmp_path, network):
    cli = Cli(capsys, monkeypatch)
    (tmp_path / "seven.cnn").write_text(TEXT, "utf-8")
    monkeypatch.chdir(tmp_path)
    for batch in BATCHES:
        told = cli("explain", "seven.cnn", "C1", "--batch", str(batch), "--json").out
        assert json.loads(told)["considered"][0]["kernel"] == kernel(network, batch)
        plan = cli("compile", "seven.cnn", "--emit", "plan", "--batch", str(batch)).out
        assert re.search(rf"{kernel(network, batch)} +C1\b", plan)
        assert cli("verify", "seven.cnn", "--batch", str(batch)).status == 0
    layers = cli("bench", "seven.cnn", "--layers", "--batch", "1,16", "--seconds", "0", "--json")
    steps = [found["steps"] for found in json.loads(layers.out)["measurements"]]
    for batch, found in zip((1, 16), steps, strict=True):
        assert kernel(network, batch) in [step["step"] for step in found]


def test_pictures_are_classified_as_one_is_unless_a_batch_is_named(capsys, monkeypatch, tmp_path):
    cli = Cli(capsys, monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seven.cnn").write_text(TEXT, "utf-8")
    np.save("x.npy", np.random.default_rng(3).standard_normal((3, 7, 7, 256)).astype(np.float32))
    x, network = np.load("x.npy"), cnndsl.parse("seven.cnn")
    for arguments, batch in (((), 1), (("--batch", "16"), 16)):
        said = cli("run", "seven.cnn", "x.npy", "--seed", "0", "-o", "y.npy", *arguments)
        assert said.status == 0, said.err
        np.testing.assert_array_equal(
            np.load("y.npy"), cnndsl.compile(network, seed=0, batch=batch)(x)
        )
