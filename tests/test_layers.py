"""How long each step takes, against the machine's roof: `cnndsl bench --layers`."""

from __future__ import annotations

import ctypes
import json

import numpy as np
import pytest
from cli_calls import Cli
from cpu_kernel_driver import callback, guarded, hot_loops, multiplications
from cpu_network import NETWORK, SHAPES, images

from cnndsl.backends.cpu import executable as executables
from cnndsl.backends.cpu import roof as cpu_roof
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.lowering.roof import MULTIPLY_ADD, READ, chains_of, read_call
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.profiling import Profiler, Roof
from cnndsl.backends.protocol import Request
from cnndsl.backends.reference.backend import ReferenceBackend
from cnndsl.cli.layers import work_of
from cnndsl.plan.build import make_plan
from cnndsl.plan.plan import ZERO_HALO

pytestmark = pytest.mark.cache

TABLE = """\
cnn 1
network "Two convolutions"
layer  type     maps  size   kernel  padding  activation
In     input    3     18x18  -       -        -
C1     conv     8     18x18  3x3     1        relu
C2     conv     8     16x16  3x3     valid    tanh
Out    dense    10    -      -       -        softmax
"""


@pytest.fixture
def cli(cli, monkeypatch, tmp_path) -> Cli:
    monkeypatch.setattr(cpu_roof, "STREAM_BYTES", 2 << 20)
    (tmp_path / "two.cnn").write_text(TABLE, encoding="utf-8")
    return cli


@pytest.fixture(scope="module")
def request_for_two():
    rng = np.random.default_rng(1)
    weights = {name: rng.standard_normal(s, np.float32) / 10 for name, s in SHAPES.items()}
    return Request(make_plan(NETWORK, CpuBackend().choose), weights, threads=2)


def test_every_step_of_the_plan_has_its_time_on_any_batch_and_threads(cli):
    arguments = ["bench", "two.cnn", "--layers", "--batch", "1,3", "--threads", "1,2"]
    found = json.loads(cli(*arguments, "--seconds", "0", "--json").out)["measurements"]
    assert [(m["batch"], m["threads"]) for m in found] == [(1, 1), (3, 1), (1, 2), (3, 2)]
    plan = cli("compile", "two.cnn", "--emit", "plan").out.split("\n\n", 1)[1]
    planned = [line.split()[1] for line in plan.splitlines()]
    for measured in found:
        assert [step["step"] for step in measured["steps"]] == planned
        assert measured["runs"] >= 5
        assert measured["roof"]["gflops"] > 0
        assert measured["roof"]["gigabytes"] > 0
        for step in measured["steps"]:
            assert step["kernels"]
            assert step["median_ms"] > 0
            assert step["roof_percent"] > 0


def test_the_table_names_rows_kernels_and_the_roof(cli):
    lines = cli("bench", "two.cnn", "--layers", "--seconds", "0", "--threads", "1").out.splitlines()
    assert lines[0].startswith("batch 1, threads 1, ")
    assert "roof " in lines[0]
    assert lines[1].split()[:3] == ["row", "step", "kernel"]
    assert {line.split()[0] for line in lines[2:-1]} == {"In", "C1", "C2", "Out"}
    assert lines[-1].startswith("whole: ")


def test_a_target_without_a_clock_says_so(cli):
    assert not isinstance(ReferenceBackend(), Profiler)
    outcome = cli("bench", "two.cnn", "--layers", "--target", "reference")
    assert outcome.status == 1
    assert "error[E702]" in outcome.err
    assert "fix: the target cpu" in outcome.err


def test_work_is_counted_from_the_operator_and_the_sizes(request_for_two):
    steps = {step.node: step for step in request_for_two.plan.steps if step.kernel != ZERO_HALO}
    conv = work_of(steps["d"], batch=5)
    assert conv.flops == 5 * 2 * (16 * 15 * 40 * 24 * 9)
    cells = 5 * (16 * 15 * 24 + 16 * 15 * 40)
    assert conv.bytes_moved == 4 * (cells + 40 * 24 * 9 + 40)
    pool = work_of(steps["p"], batch=2)
    assert pool.flops == 0
    assert pool.bytes_moved == 4 * 2 * (33 * 31 * 24 + 16 * 15 * 24)


def test_a_halo_is_work_without_arithmetic(request_for_two):
    halos = [step for step in request_for_two.plan.steps if step.kernel == ZERO_HALO]
    assert halos
    for step in halos:
        height, width, maps = step.y.image
        top, bottom, left, right = step.y.halo
        cells = (top + height + bottom) * (left + width + right) - height * width
        work = work_of(step, batch=3)
        assert (work.flops, work.bytes_moved) == (0, 3 * 4 * cells * maps)


@pytest.mark.parametrize("least_shared", [0, 10**12], ids=["two threads", "one thread"])
def test_the_times_of_a_run_s_steps_add_up_to_the_run(request_for_two, monkeypatch, least_shared):
    monkeypatch.setattr(executables, "LEAST_SHARED_FLOATS", least_shared)
    timer = CpuBackend().step_timer(request_for_two)
    times = timer.times((images(4),), 0.0)
    assert times.shape[0] >= 5
    assert times.shape[1] == len(request_for_two.plan.steps) == len(timer.kernels(4))
    assert np.all(times >= 0)
    assert np.all(times.sum(1) > 0)
    assert np.all(times < 60)  # in seconds: a rate that is wrong by a power of ten shows


def test_the_nearer_roof_is_the_one_that_takes_longer():
    roof = Roof(gflops=100.0, gigabytes=10.0)
    assert roof.bound(flops=1e9, bytes_moved=1e7) == "arithmetic"
    assert roof.least_seconds(1e9, 1e7) == pytest.approx(0.01)
    assert roof.bound(flops=1e7, bytes_moved=1e9) == "memory"
    assert roof.least_seconds(1e7, 1e9) == pytest.approx(0.1)


def test_the_reading_kernel_reads_all_of_the_memory():
    memory = np.ones(1 << 20, np.float32)
    call = read_call(memory)
    row = np.array([memory.ctypes.data, call.fields.floats], np.int64)
    scratch = guarded(call.scratch_floats, 0.0)
    place = scratch[64:]
    callback(READ).ctypes(
        ctypes.c_int64(row.ctypes.data), 0, call.units, ctypes.c_int64(place.ctypes.data)
    )
    assert place.sum() == memory.size


def test_the_arithmetic_kernel_does_nothing_but_multiply_adds_in_registers():
    target = Target.host()
    (loop,) = hot_loops(MULTIPLY_ADD)
    assert multiplications(loop) == chains_of(target)
    assert not [line for line in loop if "(%rsp)" in line or "[sp" in line]
