"""`compile --tune` measures once for all networks, and `explain` tells what was considered."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.backends.cpu import backend, tuning
from cnndsl.backends.cpu.lowering.candidates import ConvWork, allowed
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.times import Times, keep_times, kept_times
from cnndsl.cache import FileCache
from cnndsl.ops.conv import Conv
from cnndsl.ops.padding import Padding

pytestmark = pytest.mark.cache

TABLE = """\
cnn 1
network Two
layer  type     maps  size   kernel  stride  padding  activation
In     input    16    12x12
C1     conv     16    12x12  3x3     1       same     relu
C2     conv     16    12x12  3x3     1       same     relu
C3     conv     8     12x12  1x1     1       valid    tanh
"""
WORK = ConvWork.of(Conv(16, (3, 3), padding=Padding("same")), (12, 12, 16))
DIRECT, WINOGRAD, *_ = KERNELS = [candidate.kernel for candidate in allowed(WORK, "fast")]


@pytest.fixture
def cli(cli, monkeypatch, tmp_path) -> Cli:
    """The command line with a cache of its own, in which measurements decide."""
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(backend, "kept_times", kept_times)
    Path("two.cnn").write_text(TABLE, encoding="utf-8")
    return cli


def kernels(cli: Cli) -> list[str]:
    """The algorithms in the plan."""
    plan = cli("compile", "two.cnn", "--emit", "plan").out
    return [word for word in plan.split() if word.startswith("conv_")]


def considered(cli: Cli, row: str, *arguments: str) -> dict[str, dict]:
    """What `explain` tells of a row's algorithms."""
    found = json.loads(cli("explain", "two.cnn", row, "--json", *arguments).out)["considered"]
    return {each["kernel"]: each for each in found}


def test_tuning_measures_a_shape_once_for_all_rows_and_networks(cli):
    first = cli("compile", "two.cnn", "--seed", "0", "--tune")
    assert first.status == 0
    assert "convolutions with a choice: 1 measured, 0 known" in first.err
    assert set(kept_times().of(WORK.name)) == set(KERNELS)
    assert kept_times().roof is not None
    Path("other.cnn").write_text(TABLE.replace("C3     conv     8 ", "C3     conv     9 "), "utf-8")
    again = cli("compile", "other.cnn", "--seed", "0", "--tune")
    assert "0 measured, 1 known" in again.err
    assert json.loads(cli("doctor", "--json").out)["cache"]["measured"] == 1


def test_each_batch_is_measured_by_itself(cli):
    arguments = "compile", "two.cnn", "--seed", "0", "--tune", "--batch", "3"
    assert "1 measured, 0 known" in cli(*arguments).err
    assert set(kept_times().of(WORK.name, 3)) == set(KERNELS)
    assert not kept_times().of(WORK.name)
    assert "0 measured, 1 known" in cli(*arguments).err
    assert "1 measured, 0 known" in cli(*arguments[:-2]).err


def test_what_was_measured_decides_and_models_are_planned_anew(cli):
    net, x = cnndsl.parse("two.cnn"), np.ones((1, 12, 12, 16), np.float32)
    cnndsl.compile(net, seed=0).save("two.cnnm")
    outputs: dict[str, bytes] = {}
    for fastest in (DIRECT, WINOGRAD, DIRECT):
        seconds = {k: 1.0 + (k != fastest) for k in KERNELS}
        keep_times(Times({WORK.name: seconds}))
        assert kernels(cli) == [fastest, fastest, "conv_direct"]
        y = cnndsl.load("two.cnnm")(x).tobytes()
        assert y == cnndsl.compile(net, seed=0)(x).tobytes()
        assert outputs.setdefault(fastest, y) == y
    assert len(set(outputs.values())) == 2


def test_explain_tells_the_figures_of_what_was_considered(cli):
    told = considered(cli, "C1")
    assert [name for name, each in told.items() if each["chosen"]] == [next(iter(told))]
    down, _, across = WINOGRAD.partition(":")[2].partition("x")
    ratio = error_ratio((3, 3), (int(down), int(across)), 16)
    assert told[WINOGRAD]["error_ratio"] == pytest.approx(ratio)
    assert told["conv_direct"]["estimated_ms"] > 0
    assert told["conv_direct"]["measured_ms"] is None
    assert told["dense"]["verdict"] == "only windows of the whole image"
    keep_times(Times({WORK.name: {k: 2e-3 - 1e-3 * (k == WINOGRAD) for k in KERNELS}}))
    assert considered(cli, "C1")["conv_direct"]["measured_ms"] == 2.0
    said = cli("explain", "two.cnn", "C1").out
    assert "ms (arithmetic), measured 2.000 ms: slower\n" in said
    assert f"measured 1.000 ms, error up to {ratio:.1f} times a plain sum's: chosen\n" in said


def test_explain_says_that_strict_numerics_are_why(cli):
    strict = considered(cli, "C1", "--numerics", "strict")[WINOGRAD]
    assert strict["verdict"].startswith("numerics strict")
    assert considered(cli, "C3")["conv_winograd"]["verdict"].startswith("only filters of 2 to 8")


def test_rows_without_a_choice_have_none(cli):
    assert json.loads(cli("explain", "alexnet", "N1", "--json").out)["considered"] == []
    reference = cli("explain", "two.cnn", "C1", "--target", "reference", "--json")
    assert json.loads(reference.out)["considered"] == []


def test_the_reference_cannot_be_tuned(cli):
    outcome = cli("compile", "two.cnn", "--seed", "0", "--tune", "--target", "reference")
    assert outcome.status == 1
    assert "error[E702]" in outcome.err


def test_a_process_that_fails_is_told_of_and_leaves_no_times(cli, monkeypatch):
    monkeypatch.setattr(tuning, "COMMAND", ("-c", "raise SystemExit('no such kernel')"))
    outcome = cli("compile", "two.cnn", "--seed", "0", "--tune")
    assert outcome.status == 1
    assert "the process that measures kernels has failed: no such kernel" in outcome.err
    assert kept_times() == Times()


def test_a_damaged_cache_is_measured_again(cli, tmp_path):
    keep_times(Times({WORK.name: dict.fromkeys(KERNELS, 1.0)}))
    (entry,) = [e for e in FileCache(tmp_path / "cache").entries() if e.name == "times"]
    entry.path.write_bytes(entry.path.read_bytes()[:-4])
    assert "1 measured, 0 known" in cli("compile", "two.cnn", "--seed", "0", "--tune").err
