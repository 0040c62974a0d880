"""The benchmark on a GPU, as far as it runs without one: PyTorch on the CPU in the GPU's place."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import cuda as bench
from benchmarks import cuda_kernels, cuda_loops
from benchmarks.figures import Quartiles
from cnndsl.api import compile
from cnndsl.backends.cuda.gpu import assumed_gpu
from cnndsl.backends.cuda.link import MachineCode
from cnndsl.errors import CnnError, TargetError


def here(function, *arguments):
    """`apart`, in this process."""
    try:
        return function(*arguments), None
    except (CnnError, RuntimeError) as error:
        return None, error


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "find_device", lambda: SimpleNamespace(gpu=assumed_gpu((9, 0))))
    monkeypatch.setattr(bench, "torch_versions", dict)
    monkeypatch.setattr(bench, "apart", here)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "cuda.json")
    return tmp_path / "cuda.json"


def test_a_case_that_fails_costs_no_other_one(results, monkeypatch, capsys):
    def measure(name, batch, precision):
        if batch == 16:
            raise TargetError("too large\nmore", code="E703")
        if precision == "tf32":
            raise RuntimeError("CUDA error")
        times = {bench.OURS: Quartiles(1.0, 2.0, 3.0), bench.EAGER: Quartiles(3.0, 4.0, 5.0)}
        return bench.Measured(name, batch, precision, times, {})

    monkeypatch.setattr(bench, "measure", measure)
    argv = ["--nets", "lenet5", "--batches", "1,16", "--precisions", "float32,tf32"]
    assert bench.main(argv) == 1
    table, errors = capsys.readouterr()
    assert "2.00" in table
    assert "cnndsl: CUDA error" in table
    assert "lenet5, batch 16, float32: error[E703]: too large" in errors
    written = json.loads(results.read_text())
    assert [row["ratio"] for row in written["results"]] == [2.0, None, None, None]
    assert written["device"]["name"] == "sm_90"


def test_what_is_measured_is_written_before_the_next_case(results, monkeypatch):
    def measure(name, batch, precision):
        if batch == 16:
            raise KeyboardInterrupt
        return bench.Measured(name, batch, precision, {}, {})

    monkeypatch.setattr(bench, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        bench.main(["--nets", "lenet5", "--batches", "1,16", "--precisions", "tf32"])
    assert len(json.loads(results.read_text())["results"]) == 1


def test_layers_that_fail_are_named_and_cost_no_others(results, monkeypatch, capsys):
    def by_layer(name, batches):
        if name == "lenet5":
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")
        return [{"network": name, "batch": batch} for batch in batches]

    monkeypatch.setattr(bench, "by_layer", by_layer)
    monkeypatch.setattr(bench, "measure", lambda *case: bench.Measured(*case, {}, {}))
    argv = ["--nets", "lenet5,alexnet", "--batches", "1,16", "--precisions", "tf32", "--layers"]
    assert bench.main(argv) == 1
    said = "lenet5, by layer: CUDA error: an illegal memory access was encountered\n"
    assert capsys.readouterr().err == said
    layers = json.loads(results.read_text())["layers"]
    assert [row["network"] for row in layers] == ["alexnet", "alexnet"]


def refused(*case):
    raise TargetError("the GPU's driver refuses cuLaunchKernel", code="E704", fixes=["another"])


def test_a_case_has_a_process_of_its_own_which_may_fail_or_die():
    assert bench.apart(os.getpid)[0] != os.getpid()
    assert bench.reason_of(bench.apart(refused)[1]).startswith("error[E704]: the GPU's driver")
    assert "terminated abruptly" in bench.reason_of(bench.apart(os._exit, 1)[1])


def test_the_table_of_kernels_has_all_tiles_and_says_what_is_spilled(monkeypatch):
    code = MachineCode(b"", 40, 8, 0, 1024)
    monkeypatch.setattr(cuda_kernels, "resources", lambda kernel, architecture: code)
    monkeypatch.setattr(cuda_kernels, "NETWORKS", ("lenet5",))
    lines = list(cuda_kernels.table({**cuda_kernels.tile_rows(), **cuda_kernels.network_rows()}))
    assert lines[0] == "| kernel | sm_75 | sm_80 | sm_90 |"
    each = "40, 137 KiB, 8 bytes spilled"
    assert f"| tile 128 x 256 x 32, float16 | - | {each} | {each} |" in lines
    each = "40, 1 KiB, 8 bytes spilled"
    assert f"| `avg_pool_1_tanh` | {each} | {each} | {each} |" in lines


def test_the_loop_of_a_tile_is_the_shortest_one_that_multiplies():
    sass = """
.L_x_1:
        /*0000*/                   S2R R0, SR_TID.X ;
.L_x_2:
        /*0010*/                   HMMA.1688.F32.TF32 R4, R8, R12, R4 ;
        /*0020*/              @!P0 IMAD.IADD.U32 R8, R8, 0x1, R9.reuse ;
        /*0030*/               @P2 BRA `(.L_x_2) ;
.L_x_3:
        /*0040*/                   IADD3 R1, R1, 0x1, RZ ;
        /*0050*/               @P1 BRA `(.L_x_3) ;
        /*0060*/               @P0 BRA `(.L_x_1) ;
        /*0070*/                   BRA `(.L_x_4) ;
.L_x_4:
    """
    assert cuda_loops.main_loop(sass) == {"HMMA": 1, "IMAD": 1, "BRA": 1}
    assert cuda_loops.main_loop("") == {}


def test_without_a_disassembler_its_package_is_named(monkeypatch, capsys):
    monkeypatch.setattr(cuda_loops, "disassembler", lambda: None)
    assert cuda_loops.main([]) == 2
    assert "pip install nvidia-cuda-nvdisasm" in capsys.readouterr().err


class OnTheCpu:
    """A model for the reference that says and does what one on a GPU would."""

    def __init__(self, model):
        self.model, self.signature = model, model.signature
        self.output_shape = model.output_shape

    def on_device(self, x, out, stream):
        out.numpy()[:] = self.model(x.numpy())


@pytest.mark.peers
@pytest.mark.parametrize("precision", ["float32", "tf32", "float16"])
def test_the_contestants_compute_the_same(torch, monkeypatch, precision):
    def compiled(network, weights, target, precision):
        assert target == "cuda"
        return OnTheCpu(compile(network, weights, target="reference"))

    clock = iter(np.arange(1e4))

    class Event:
        def __init__(self, enable_timing):
            self.at = 0.0

        def record(self):
            self.at = next(clock)

        def synchronize(self):
            pass

        def elapsed_time(self, other):
            return 1e3 * (other.at - self.at)

    monkeypatch.setattr(bench, "compile", compiled)
    monkeypatch.setattr(bench, "DEVICE", "cpu")
    monkeypatch.setattr(bench, "ROUNDS", 2)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    measured = bench.measure("lenet5", 2, precision)
    assert set(measured.milliseconds) == {bench.OURS, bench.EAGER}
    assert set(measured.refused) == {bench.GRAPH}  # which only a GPU records
    assert measured.ratio == 1.0
