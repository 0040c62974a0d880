"""`cnndsl verify`: it finds the row that is wrong, and none where all are right."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.backends.cpu.steps import convolutions
from cnndsl.cli.expectations import REFERENCE, expectation
from cnndsl.cli.row_errors import output_errors, relative_error, row_errors

pytestmark = pytest.mark.cache

TABLE = """\
cnn 1
network Four
layer  type     maps  size   kernel  stride  padding  activation
In     input    16    12x12
C1     conv     16    12x12  3x3     1       same     relu
S2     maxpool  16    6x6    2x2     2       valid    -
C3     conv     8     6x6    1x1     1       valid    tanh
Out    dense    5     -      -       -       -        softmax
"""


@pytest.fixture
def cli(cli) -> Cli:
    Path("four.cnn").write_text(TABLE, encoding="utf-8")
    return cli


@pytest.fixture
def wrong_c3(monkeypatch):
    """A kernel that computes row C3 with other weights than its own."""
    lower = convolutions.lower_conv

    def wrongly(algorithm, conv, x, y, epilogue, weight, bias):
        weight = weight * np.float32(1.01) if conv.maps == 8 else weight
        return lower(algorithm, conv, x, y, epilogue, weight, bias)

    monkeypatch.setattr(convolutions, "lower_conv", wrongly)


def verify(cli: Cli, *arguments: object):
    outcome = cli("verify", "four.cnn", "--json", *arguments)
    assert outcome.err == ""
    return outcome.status, json.loads(outcome.out, parse_constant=pytest.fail)


def test_a_right_network_is_within_the_tolerance_in_every_row(cli):
    status, found = verify(cli, "--batch", "3")
    assert (status, found["within"], found["first_row_beyond"]) == (0, True, None)
    assert [row["row"] for row in found["rows"]] == ["C1", "S2", "C3", "Out", "Out"]
    assert found["rows"][0]["computes"] == ["conv", "relu"]
    (kernel,) = found["rows"][0]["kernels"]
    assert kernel.startswith("conv_winograd")
    assert 0 < found["output_error"] < 1e-5


def test_a_wrong_kernel_is_found_in_its_row(cli, wrong_c3):
    status, found = verify(cli)
    assert (status, found["within"], found["first_row_beyond"]) == (1, False, "C3")
    errors = {row["row"]: row["error"] for row in found["rows"]}
    assert errors["S2"] < 1e-5 < 1e-3 < errors["C3"] < 2e-2
    said = cli("verify", "four.cnn")
    assert said.status == 1
    assert "\n* beyond 0.0001, first in row C3\n" in said.out
    assert " of its largest value, beyond 0.0001, against the definitions in float64\n" in said.out


def test_the_tolerance_decides_what_is_fine(cli, wrong_c3):
    assert verify(cli, "--tolerance", "0.5")[0] == 0
    assert cli("verify", "four.cnn", "--tolerance", "2").status == 2


def test_strict_numerics_run_other_kernels_and_err_less_than_large_squares(cli):
    table = TABLE.replace("12x12", "36x36").replace("6x6 ", "18x18 ")
    Path("four.cnn").write_text(table, encoding="utf-8")
    fast, strict = (verify(cli, "--numerics", n)[1]["rows"][0] for n in ("fast", "strict"))
    assert strict["kernels"] == ["conv_direct"]
    assert strict["error"] < fast["error"]


def test_images_may_be_given(cli):
    np.save("zeros.npy", np.zeros((2, 12, 12, 16), np.float32))
    status, found = verify(cli, "--input", "zeros.npy")
    assert status == 0
    assert found["rows"][0]["error"] == 0.0


def test_no_images_and_too_many_are_refused(cli):
    np.save("none.npy", np.zeros((0, 12, 12, 16), np.float32))
    assert "no images in none.npy" in cli("verify", "four.cnn", "--input", "none.npy").err
    many = cli("verify", "four.cnn", "--batch", "1000000")
    assert many.status == 1
    assert "error[E304]" in many.err


def test_the_reference_is_not_compared_with_itself(cli):
    outcome = cli("verify", "four.cnn", "--target", "reference")
    assert outcome.status == 1
    assert "error[E702]" in outcome.err


def test_a_compiled_model_is_verified_with_its_weights(cli):
    assert cli("compile", "four.cnn", "--seed", "5", "-o", "four.cnnm").status == 0
    np.save("x.npy", np.random.default_rng(8).standard_normal((2, 12, 12, 16), np.float32))
    by_seed = verify(cli, "--seed", "5", "--input", "x.npy")[1]
    compiled = cli("verify", "four.cnnm", "--input", "x.npy", "--json")
    assert json.loads(compiled.out)["rows"] == by_seed["rows"]


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_the_last_row_is_the_output(layout):
    rows = TABLE.rsplit("Out", 1)[0].replace("16    12x12\n", f"16    12x12  layout={layout}\n", 1)
    model = cnndsl.compile(cnndsl.parse(text=rows), seed=0)
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape), np.float32)
    expected = expectation(REFERENCE, model, (x,))
    *_, last = row_errors(model, (x,), expected)
    (error,) = output_errors(model, (x,), expected).values()
    assert last.error == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    ("y", "want", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1.0, -3.0], [1.0, -4.0], 0.25),
        ([np.nan, 1.0], [np.nan, 2.0], 0.5),
        ([np.inf, 1.0], [np.inf, 2.0], 0.5),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([1.0, 1.0], [np.nan, 1.0], np.inf),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
    ],
)
def test_an_error_is_relative_to_the_largest_value_that_is_wanted(y, want, error):
    assert relative_error(np.array(y, np.float32), np.array(want)) == error


def test_an_infinite_error_is_null_for_programs(cli, monkeypatch):
    lower = convolutions.lower_conv

    def broken(algorithm, conv, x, y, epilogue, weight, bias):
        return lower(algorithm, conv, x, y, epilogue, weight * np.float32(np.nan), bias)

    monkeypatch.setattr(convolutions, "lower_conv", broken)
    status, found = verify(cli)
    assert (status, found["output_error"], found["first_row_beyond"]) == (1, None, "C1")
