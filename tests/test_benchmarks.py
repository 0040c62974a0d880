"""The benchmark compares what is comparable, and says so: no other runtime is needed here."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import contest, cpu, model, start
from benchmarks.bars import draw_bars
from benchmarks.cases import SPECS, Case, draw_weights, open_problem
from benchmarks.contest import burst, disagreement, interleaved
from benchmarks.figures import Quartiles, best_ratio
from benchmarks.lines import Sweep, draw_lines
from benchmarks.machine import Machine
from benchmarks.peers import Exports, Peer
from benchmarks.report import Circumstances, format_table, results_data, write_json
from benchmarks.runner import OURS, Result, channels_first, open_ours, run_case
from benchmarks.scaling import plan_sweeps

ROOT = Path(__file__).parent.parent
RUNTIMES = ("torch", "onnx", "onnxruntime", "openvino", "ncnn", "pnnx")

TABLE = """\
cnn 1
network Tiny
layer  type     maps  size   kernel  padding  activation
In     input    2     9x9    -       -        -
C1     conv     8     9x9    3x3     1        relu
Out    dense    5     -      -       -        softmax
"""


@pytest.fixture
def tiny(tmp_path) -> str:
    path = tmp_path / "tiny.cnn"
    path.write_text(TABLE, encoding="utf-8")
    return str(path)


@pytest.fixture
def at_once(monkeypatch):
    """Bursts of one call, and no pauses."""
    monkeypatch.setattr(contest, "BURST_SECONDS", 0.0)
    monkeypatch.setattr(contest, "PAUSE_SECONDS", 0.0)


def result(network: str = "net", batch: int = 1, threads: int = 1, **times: float) -> Result:
    """Made-up figures: each contestant takes these seconds, give or take a tenth."""
    rounds = {name: [0.9 * t, t, 1.1 * t] for name, t in times.items()}
    return Result(Case(network, batch, threads), rounds)


# ---- figures


@pytest.mark.parametrize("module", ["figures", "report", "svg", "lines", "runner", "start"])
def test_the_examples_in_the_docstrings_hold(module):
    outcome = doctest.testmod(import_module(f"benchmarks.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_best_peer_has_the_least_median_and_is_compared_round_by_round():
    # In each round the machine has another speed; within a round `a` takes twice as long as we.
    rounds = {OURS: [1.0, 5.0, 2.0], "a": [2.0, 10.0, 4.0], "b": [0.1, 90.0, 90.0]}
    ratio = best_ratio(rounds, OURS)
    assert ratio is not None
    assert ratio.best == "a"
    assert ratio.quartiles == Quartiles(2.0, 2.0, 2.0)


def test_without_peers_there_is_no_ratio():
    assert best_ratio({OURS: [1.0]}, OURS) is None
    assert result(cnndsl=0.001).ratio is None


# ---- agreement


def test_outputs_disagree_by_the_largest_difference_relative_to_the_largest_output():
    ours = np.array([[1.0, -4.0]], np.float32)
    assert disagreement(ours, ours, classifies=False) == 0.0
    other = np.array([[1.2, -4.0]], np.float32)
    assert disagreement(other, ours, classifies=False) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "y", [np.zeros((1, 3)), np.array([[np.nan, 1.0]]), np.array([[1.0, np.inf]])]
)
def test_other_shapes_and_numbers_that_are_none_never_agree(y):
    ours = np.array([[1.0, 2.0]], np.float32)
    assert disagreement(y.astype(np.float32), ours, classifies=False) == np.inf


def test_probabilities_disagree_where_one_class_takes_nearly_all():
    ours = np.array([[1.0, 1e-9, 1e-8]], np.float32)
    swapped = np.array([[1.0, 1e-8, 1e-9]], np.float32)
    assert disagreement(swapped, ours, classifies=False) < contest.ALLOWED
    assert disagreement(swapped, ours, classifies=True) > 0.1


# ---- turns


def test_calls_are_interleaved_and_each_round_begins_with_another(at_once):
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    rounds = interleaved(calls, seconds=0.0)
    assert "".join(order[:9]) == "abcbcacab"
    assert {len(times) for times in rounds.values()} == {contest.LEAST_ROUNDS}


def test_the_first_call_of_a_burst_counts_only_where_it_is_alone(monkeypatch):
    clock = iter([0.0, 0.0, 9.0, 9.0, 10.0, 10.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(contest, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(contest, "BURST_SECONDS", 12.0)
    assert burst(lambda: None) == 1.0
    clock = iter([0.0, 0.0, 9.0])
    monkeypatch.setattr(contest, "BURST_SECONDS", 5.0)
    assert burst(lambda: None) == 9.0


# ---- cases


@pytest.mark.parametrize("spec", sorted(path.stem for path in SPECS.glob("*.cnn")))
def test_every_table_of_ours_is_right(spec):
    assert open_problem(spec).network.macs > 0


def test_what_a_name_stands_for():
    assert open_problem("lenet5").network.rows[-1].op.row_type == "dense"
    assert open_problem("alexnet").network.params == 62_378_344
    resnet = open_problem("resnet50").network
    assert resnet.macs == 4_089_184_256
    assert "batchnorm" not in {node.op.row_type for node in resnet.ir.nodes}


def test_images_of_any_size_fit_the_network_for_it():
    assert open_problem("stack", 65).images(2).shape == (2, 3, 65, 65)


def test_weights_are_the_same_in_every_process_and_none_is_left_at_zero():
    network = open_problem("lenet5").network
    first, again = draw_weights(network), draw_weights(network)
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert np.any(array)


def test_sweeps_go_along_one_quantity():
    plans = plan_sweeps(["a", "b"], [1, 2])
    assert [plan.along for plan in plans] == ["batch", "batch", "side", *["threads"] * 4]
    for plan in plans:
        assert [getattr(case, plan.along) for case in plan.cases] == list(plan.values)
        same = {"network", "batch", "threads", "side"} - {plan.along}
        assert all(len({getattr(case, name) for case in plan.cases}) == 1 for name in same)
    assert "threads" not in [plan.along for plan in plan_sweeps(["a"], [1])]


# ---- whom it times


@pytest.mark.cache
def test_nobody_is_timed_who_fails_or_computes_something_else(tiny, tmp_path, at_once):
    problem = open_problem(tiny)

    def honest(exports, images, threads):
        ours = open_ours(problem, images, threads)
        return lambda: channels_first(ours(), problem)

    def wrong(exports, images, threads):
        return lambda: honest(exports, images, threads)()[:, ::-1]

    def broken(exports, images, threads):
        raise RuntimeError("no such layer\nand a long story")

    peers = [Peer(f.__name__, (), f) for f in (honest, wrong, broken)]
    notes: list[str] = []
    exports = Exports(problem, tmp_path)
    measured = run_case(Case(tiny, 2, 1), problem, exports, peers, 0.0, notes.append)
    assert list(measured.rounds) == [OURS, "honest"]
    assert measured.differences["honest"] == 0.0
    assert "from ours" in measured.refused["wrong"]
    assert measured.refused["broken"] == "RuntimeError: no such layer"
    assert len(notes) == 2
    assert "refused" in format_table([measured])


@pytest.mark.cache
def test_where_no_peer_is_installed_it_measures_us_alone(
    tiny, tmp_path, monkeypatch, capsys, at_once
):
    for module in RUNTIMES:
        monkeypatch.setitem(sys.modules, module, None)
    arguments = [
        "--nets",
        tiny,
        "--batches",
        "1,2",
        "--threads",
        "1",
        "--seconds",
        "0",
        "--runs",
        "1",
    ]
    assert cpu.main([*arguments, "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "torch does not take part: torch not installed" in printed.err
    assert len(printed.out.splitlines()) == 5
    data = json.loads((tmp_path / "cpu.json").read_text(encoding="utf-8"))
    assert [(r["batch"], r["ratio"]) for r in data["results"]] == [(1, None), (2, None)]
    assert len(data["results"][0]["milliseconds"][OURS]["rounds"]) >= contest.LEAST_ROUNDS
    assert not (tmp_path / "cpu.svg").exists()


@pytest.mark.cache
def test_scaling_is_drawn_even_alone(tiny, tmp_path, monkeypatch, at_once):
    for module in RUNTIMES:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(cpu, "plan_sweeps", lambda nets, threads: plan_sweeps(nets, threads)[:1])
    arguments = ["--scaling", "--nets", tiny, "--threads", "1", "--seconds", "0", "--runs", "1"]
    assert cpu.main([*arguments, "--folder", str(tmp_path)]) == 0
    (sweep,) = json.loads((tmp_path / "scaling.json").read_text(encoding="utf-8"))["sweeps"]
    assert [r["batch"] for r in sweep["results"]] == [1, 2, 4, 8, 16, 32, 64]
    assert ElementTree.parse(tmp_path / "scaling.svg").getroot().tag.endswith("svg")


def test_several_runs_are_processes_of_their_own_and_each_counts_once(tiny, tmp_path, capfd):
    arguments = ["--nets", tiny, "--batches", "1", "--threads", "1", "--seconds", "0"]
    assert cpu.main([*arguments, "--only", "", "--runs", "2", "--folder", str(tmp_path)]) == 0
    assert "run 2 of 2" in capfd.readouterr().err
    data = json.loads((tmp_path / "cpu.json").read_text(encoding="utf-8"))
    assert data["runs"] == 2
    rounds = data["results"][0]["milliseconds"][OURS]["rounds"]
    assert len(rounds) == 2 * contest.LEAST_ROUNDS


def test_results_of_several_runs_are_one_with_a_ratio_for_each():
    runs = [result(cnndsl=0.001, ncnn=0.002), result(cnndsl=0.001, ncnn=0.003)]
    both = Result.of_runs(runs)
    assert both.ratios == pytest.approx([2.0, 3.0])
    assert both.rounds["ncnn"] == [*runs[0].rounds["ncnn"], *runs[1].rounds["ncnn"]]
    heading, first = format_table([both]).splitlines()
    assert heading.endswith("of runs")
    assert first.endswith("2.50x (2.00-3.00)")


def test_who_is_refused_in_one_run_is_refused_in_all():
    fine, wrong = result(cnndsl=0.001, ncnn=0.002), result(cnndsl=0.001)
    wrong.refused["ncnn"] = "its output is another"
    wrong.differences["ncnn"] = 0.5
    both = Result.of_runs([fine, wrong])
    assert list(both.rounds) == [OURS]
    assert both.refused == wrong.refused
    assert both.ratios == []


def test_mistakes_in_the_command_end_with_2(tmp_path, capsys):
    assert cpu.main(["--nets", "no-such-net", "--folder", str(tmp_path)]) == 2
    assert "no-such-net" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cpu.main(["--only", "abacus"])
    assert "'abacus' is none of torch" in capsys.readouterr().err


def test_help_needs_no_peer():
    hidden = f"import sys; sys.modules.update(dict.fromkeys({RUNTIMES!r}))"
    code = f"{hidden}; from benchmarks.cpu import main; main(['--help'])"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "python -m benchmarks.cpu --scaling" in shown.stdout


# ---- what it writes


def test_the_table_has_a_line_a_case_and_a_column_a_contestant():
    lines = format_table([result(cnndsl=0.001, ncnn=0.002), result(batch=16, cnndsl=0.01)])
    heading, first, second = lines.splitlines()
    assert heading.split()[:5] == ["network", "batch", "threads", "cnndsl", "ncnn"]
    assert first.split()[3:] == ["1.00", "(0.950-1.05)", "2.00", "(1.90-2.10)", "ncnn",
                                 "2.00x", "(2.00-2.00)"]  # fmt: skip
    assert second.split()[-2:] == ["-", "-"]


def test_the_file_says_on_what_and_how_it_was_measured(tmp_path):
    circumstances = Circumstances(
        "python -m benchmarks.cpu", "2026-01-01T00:00:00+00:00", 3.0, 1, Machine.here(),
        {"numpy": "2"}, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6),
    )  # fmt: skip
    path = tmp_path / "new" / "cpu.json"
    found = [result(cnndsl=0.001, ncnn=0.002)]
    write_json(path, circumstances, {"results": results_data(found)})
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["machine"]["features"]
    assert data["machine"]["cores"] >= 1
    assert data["load_before"] == [0.1, 0.2, 0.3]
    (written,) = data["results"]
    assert written["milliseconds"]["ncnn"]["rounds"] == [1.8, 2.0, 2.2]
    assert written["best_peer"] == "ncnn"
    assert written["ratio"]["median"] == pytest.approx(2.0)


def texts(picture: str) -> list[str]:
    """The words of an SVG picture."""
    return [node.text or "" for node in ElementTree.fromstring(picture).iter() if node.text]


def test_bars_name_every_case_and_print_ratios_that_are_too_long_to_draw():
    found = [
        result("lenet<5>", threads=threads, cnndsl=0.001, torch=0.02, ncnn=0.0015)
        for threads in (1, 2)
    ]
    words = texts(draw_bars(found, "a machine"))
    assert words.count("lenet<5>, batch 1") == 2
    assert words.count("20.0") == words.count("1.50") == 2
    assert {"1 thread", "2 threads", "torch", "ncnn", "a machine"} <= set(words)


def test_bars_end_at_the_longest(monkeypatch):
    picture = ElementTree.fromstring(draw_bars([result(cnndsl=0.001, torch=0.02)], ""))
    bars = [n for n in picture.iter() if n.tag.endswith("rect") and n.get("class") is None]
    width = float(picture.get("width", "0"))
    assert all(float(n.get("x", "0")) + float(n.get("width", "0")) < width for n in bars)


def test_lines_have_a_point_for_each_value_that_was_measured():
    along = (1, 2, 4)
    found = tuple(result(batch=b, cnndsl=0.001 * b, torch=0.004 * b**0.5) for b in along)
    picture = draw_lines([Sweep("net, 1 thread", "batch", along, found)] * 4, "a machine")
    tree = ElementTree.fromstring(picture)
    assert len([n for n in tree.iter() if n.tag.endswith("circle")]) == 4 * 2 * 3
    assert {"net, 1 thread", "batch", "4", "cnndsl", "torch"} <= set(texts(picture))
    assert "nan" not in picture


def test_a_flat_line_can_be_drawn():
    found = (Result(Case("net", 1, 1), {OURS: [0.001] * 3}),)
    assert "nan" not in draw_lines([Sweep("net", "batch", (1,), found)], "")


# ---- how soon, and how well foreseen


@pytest.mark.cache
def test_a_start_is_told_with_its_parts(tmp_path):
    starts = [only for (only,) in start.measure("lenet5", 1, tmp_path).values()]
    for found in starts:
        assert min(found.python, found.numpy, found.imports, found.reading, found.ready) > 0
        parts = found.numpy + found.imports + found.reading + found.ready + found.call
        assert found.python + parts == pytest.approx(found.total, rel=0.05)
    cold, *_, cached = starts
    assert cached.ready < cold.ready  # which has compiled


@pytest.mark.cache
def test_the_cost_model_is_held_against_the_machine(capsys):
    assert model.main(["lenet5", "--batch", "2"]) == 0
    said = capsys.readouterr().out
    assert "conv_planar: 1 shapes, estimates off by" in said
    assert " of 3 are the fastest within 3%" in said


def test_a_choice_loses_by_what_the_fastest_would_have_saved():
    estimated, margins = {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0}
    found = model.Compared("c", estimated, margins, {"a": 3.0, "b": 2.0})
    assert (found.chosen, found.loss) == ("a", 1.5)
    right = model.Compared("d", estimated, margins, {"a": 4.0, "b": 5.0})
    assert model.summary([found, right])[-2:] == [
        "choices: 1 of 2 are the fastest within 3%",
        "all of them take 16.67% longer than the fastest would",
    ]
    assert model.Compared("e", estimated, {"a": 2.1, "b": 1.0}, {"a": 4.0, "b": 5.0}).chosen == "b"
