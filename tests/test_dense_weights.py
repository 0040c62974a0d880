"""Models that keep fewer bits of their dense rows' weights: what they compute, and what is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.backends.cpu.lowering.narrow_weights import narrow
from cnndsl.cli.narrowing import narrowing_change
from cnndsl.cli.row_errors import relative_error
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.types import Options

pytestmark = pytest.mark.cache

TABLE = """\
cnn 1
network Three
layer  type     maps  size   kernel  stride  padding  activation
In     input    3     12x12
C1     conv     16    12x12  3x3     1       same     relu
S2     maxpool  16    6x6    2x2     2       valid    -
F3     dense    40    -      -       -       -        tanh
Out    dense    7     -      -       -       -        softmax
"""
KEPT = ("bfloat16", "int8")
each_kind = pytest.mark.parametrize("kept", KEPT)


@pytest.fixture
def cli(cli) -> Cli:
    Path("three.cnn").write_text(TABLE, encoding="utf-8")
    return cli


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 12, 12, 3), np.float32)


@each_kind
@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_computes_with_what_its_weights_stand_for(kept, threads):
    net = cnndsl.parse(text=TABLE)
    model = cnndsl.compile(net, seed=1, dense_weights=kept, threads=threads)
    kept_weights = {
        name: narrow(array, kept).float32 if name in ("F3.weight", "Out.weight") else array
        for name, array in model.weights.items()
    }
    reference = cnndsl.compile(net, kept_weights, target="reference")
    x = images(5)
    assert relative_error(model(x), reference(x)) < 2e-6
    whole = cnndsl.compile(net, seed=1, threads=threads)
    assert 1e-5 < relative_error(model(x), whole(x)) < 5e-2
    np.testing.assert_array_equal(model.weights["F3.weight"], whole.weights["F3.weight"])
    assert repr(model).endswith(f", dense_weights={kept}>")


@each_kind
def test_only_dense_rows_keep_fewer_bits(kept):
    steps = Compilation(cnndsl.parse(text=TABLE), options=Options(dense_weights=kept)).plan.steps
    kernels = {step.row: step.kernel for step in steps if step.kernel.startswith(("dense", "conv"))}
    assert kernels == {"C1": "conv_direct", "F3": f"dense_{kept}", "Out": f"dense_{kept}"}


def test_a_loaded_model_keeps_what_is_asked_for_whatever_was_planned_before(tmp_path):
    net = cnndsl.parse(text=TABLE)
    choices = ("float32", *KEPT)
    made = {kept: cnndsl.compile(net, seed=3, dense_weights=kept) for kept in choices}
    made["int8"].save(tmp_path / "m.cnnm")  # which holds all bits
    x = images(2)
    assert len({made[kept](x).tobytes() for kept in choices}) == len(choices)
    for kept in (*choices, *choices):  # planned, then found planned
        loaded = cnndsl.load(tmp_path / "m.cnnm", dense_weights=kept)
        np.testing.assert_array_equal(loaded(x), made[kept](x))


def test_unknown_weights_are_refused():
    with pytest.raises(TargetError, match="'int4'; there is float32, bfloat16 and int8"):
        cnndsl.compile(cnndsl.parse(text=TABLE), seed=0, dense_weights="int4")


def test_the_change_counts_images_whose_best_class_is_another(monkeypatch):
    model = cnndsl.compile(cnndsl.parse(text=TABLE), seed=1, dense_weights="int8")
    x = images(6)
    change = narrowing_change(model, (x,))
    whole = cnndsl.compile(cnndsl.parse(text=TABLE), seed=1)(x)
    assert change.images == 6
    assert change.error == pytest.approx(relative_error(model(x), whole))
    assert change.same_best == (model(x).argmax(1) == whole.argmax(1)).sum()
    assert change.best_in_five == 6
    assert "best class the same in" in str(change)


@each_kind
def test_verify_says_what_fewer_bits_change(cli, kept):
    outcome = cli("verify", "three.cnn", "--dense-weights", kept, "--json")
    found = json.loads(outcome.out)
    assert outcome.status == 0
    assert found["dense_weights"] == kept
    assert found["tolerance"] > 1e-3
    assert 0 < found["beside_float32"]["error"] < 5e-2
    assert found["beside_float32"]["images"] == 64
    said = cli("verify", "three.cnn", "--dense-weights", kept)
    assert said.out.splitlines()[-1].startswith(f"{kept} beside float32 weights, 64 images: ")


def test_verify_of_all_bits_says_nothing_of_fewer(cli):
    outcome = cli("verify", "three.cnn", "--json")
    assert json.loads(outcome.out)["beside_float32"] is None
    assert "float32" not in cli("verify", "three.cnn").out
