"""How exactly networks are computed: strict kernels, and the bound on those that are not."""

import json
import re

import numpy as np
import pytest
from cli_calls import Cli
from conv_problem import ConvProblem
from cpu_kernel_driver import cells
from test_cpu_kernels_winograd import Problem

import cnndsl
from cnndsl.backends.cpu.conv_choice import ConvChooser
from cnndsl.backends.cpu.lowering import candidates
from cnndsl.backends.cpu.lowering import winograd_ways as ways
from cnndsl.backends.cpu.lowering.candidates import ConvWork
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_points import (
    input_matrix,
    output_matrix,
    weight_matrix,
)
from cnndsl.backends.cpu.target import Target
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.ops.conv import Conv
from cnndsl.ops.padding import Padding
from cnndsl.types import Options

pytestmark = pytest.mark.cache

TEXT = """cnn 1
network Two

layer  type     maps  size   kernel  stride  padding
In     input    16    24x24
C1     conv     32    24x24  3x3     1       same
C2     conv     4     24x24  1x1     1       valid
"""


def kernels(numerics):
    plan = Compilation(cnndsl.parse(text=TEXT), options=Options(numerics)).plan
    return [algorithm(step.kernel) for step in plan.steps if step.node.startswith("C")]


def algorithm(kernel):
    """Without the squares."""
    return kernel.partition(":")[0]


def test_strict_plans_hold_no_winograd():
    assert "conv_winograd" in kernels("fast")
    assert "conv_winograd" not in kernels("strict")


def test_an_unknown_numerics_is_refused():
    with pytest.raises(TargetError, match="no numerics 'exact'; there is fast and strict"):
        cnndsl.compile(cnndsl.parse(text=TEXT), seed=0, numerics="exact")


def test_a_loaded_model_is_as_strict_as_asked_whatever_was_planned_before(tmp_path):
    net = cnndsl.parse(text=TEXT)
    made = {n: cnndsl.compile(net, seed=3, numerics=n) for n in ("fast", "strict")}
    made["fast"].save(tmp_path / "m.cnnm")
    x = np.random.default_rng(0).standard_normal((2, 24, 24, 16), np.float32)
    assert not np.array_equal(made["fast"](x), made["strict"](x))
    assert repr(made["strict"]).endswith(", strict>")
    for numerics in ("fast", "strict", "fast", "strict"):  # planned, then found planned
        loaded = cnndsl.load(tmp_path / "m.cnnm", numerics=numerics)
        np.testing.assert_array_equal(loaded(x), made[numerics](x))


def test_the_command_line_says_which_kernel_runs_and_which_would(capsys, monkeypatch):
    cli = Cli(capsys, monkeypatch)
    said = cli("explain", "alexnet", "C5").out
    assert re.search(r"conv_winograd[a-z_]*:\dx\d computes C5", said)
    assert said.endswith(" (strict: conv_direct)\n")
    strict = cli("explain", "alexnet", "C5", "--numerics", "strict", "--json")
    assert " (fast: conv_winograd" in json.loads(strict.out)["kernels"][-1]
    assert "(" not in cli("explain", "alexnet", "F9", "--json").out.split('"kernels"')[1]
    plan = cli("compile", "alexnet", "--emit", "plan", "--numerics", "strict").out
    assert "conv_direct C5" in plan


# ---- the gate


def choice(maps, numerics="fast"):
    work = ConvWork.of(Conv(64, (3, 3), padding=Padding("same")), (24, 24, maps))
    return algorithm(ConvChooser(Options(numerics)).chosen(work).kernel)


def test_strict_rows_are_summed_plainly():
    assert choice(16) == "conv_winograd"
    assert choice(16, numerics="strict") == "conv_direct"


def test_a_row_takes_the_largest_squares_that_are_exact_enough(monkeypatch):
    forgetful = ways.winograd_ways.__wrapped__  # nothing is remembered of another bound
    for room in (ways, candidates):
        monkeypatch.setattr(room, "winograd_ways", forgetful)

    def outputs(maps):
        found = ways.winograd_ways(ConvShape((48, 48), maps, 64, (3, 3)), Target.host())
        return max((way.outputs for way in found), default=None)

    def ratio(outputs, maps):
        return error_ratio((3, 3), (outputs, outputs), maps)

    assert ratio(6, 16) > ways.MOST_ERROR_RATIO > ratio(6, 64)
    assert outputs(16) < outputs(64) == (6, 6)
    monkeypatch.setattr(ways, "MOST_ERROR_RATIO", ratio(4, 64) * 1.001)
    assert outputs(64) == (4, 4)
    monkeypatch.setattr(ways, "MOST_ERROR_RATIO", 0.5)
    assert outputs(64) is None
    assert choice(64) == "conv_direct"


@pytest.mark.parametrize("side", ways.SIDES)
@pytest.mark.parametrize("r", [2, 3])
def test_the_matrices_are_those_of_a_convolution(r, side):
    rng = np.random.default_rng(0)
    d, g = rng.standard_normal(side), rng.standard_normal(r)
    y = output_matrix(side, r) @ ((weight_matrix(side, r) @ g) * (input_matrix(side, r) @ d))
    np.testing.assert_allclose(y, np.correlate(d, g), atol=1e-12)


def test_the_matrices_of_a_single_output_are_its_definition():
    d, g = np.random.default_rng(0).standard_normal((2, 3))
    y = output_matrix(3, 3) @ ((weight_matrix(3, 3) @ g) * (input_matrix(3, 3) @ d))
    np.testing.assert_allclose(y, np.correlate(d, g), atol=1e-12)


def standard_errors(
    problem: ConvProblem, images: np.ndarray, outputs: tuple[int, int]
) -> np.ndarray:
    """The error of each place of a square of `outputs`, over all squares and maps."""
    down, across = outputs
    problem.images = images
    error = cells(problem.y, problem.outputs(), problem.batch) - problem.expected()[0]
    n, height, width, maps = error.shape
    shape = (n, height // down, down, width // across, across, maps)
    return np.sqrt(np.square(error).reshape(shape).mean((0, 1, 3, 5)))


@pytest.mark.parametrize("maps", [6, 16, 40, 160])
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    ("taps", "outputs"),
    [
        ((3, 3), (2, 2)),
        ((3, 3), (4, 4)),
        ((3, 3), (5, 5)),
        ((3, 3), (6, 6)),
        ((5, 5), (2, 2)),
        ((5, 5), (4, 4)),
        ((3, 3), (4, 2)),
        ((1, 7), (1, 2)),
    ],
)
def test_winograd_errs_within_the_ratio_that_the_gate_assumes(taps, outputs, half, rectified, maps):
    shape = ConvShape((4 * outputs[0], 6 * outputs[1]), maps, 64, taps)
    way = ways.winograd_way(shape, outputs, Target.host(), half=half)
    winograd, plain = Problem(shape, 8, seed=maps, way=way), ConvProblem(shape, 8, seed=maps)
    images = np.maximum(plain.images, 0) if rectified else plain.images
    worst = standard_errors(winograd, images, outputs).max()
    ratio = worst / standard_errors(plain, images, (1, 1)).item()
    assert ratio <= way.error_ratio
    assert ratio >= way.error_ratio / 2  # or it says nothing of Winograd's cost
