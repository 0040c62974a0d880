"""Whole networks in the simulator, through the API and as random graphs, against the reference."""

from functools import cache

import numpy as np
import pytest
from cuda_checks import check_graph
from graph_strategies import graphs
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cuda_sanitizer import Sanitizer

import cnndsl
from cnndsl.backends.cuda import backend as backends
from cnndsl.backends.cuda import executable as executables
from cnndsl.compiler import Compilation


@pytest.fixture(autouse=True, scope="module")
def _sanitizer():
    """All kernels run under watch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "shared_simulator", cache(Sanitizer))
        yield


TABLE = """\
cnn 1
network Small

layer  type     maps  size  kernel  stride  padding  activation
In     input    2     6x5   -       -       -        -           layout=nchw
C1     conv     5     6x5   3x3     1       same     relu
S2     maxpool  5     3x2   2x2     2       valid    -
C3     conv     5     3x2   3x3     1       same     linear
A4     add      5     3x2   -       -       -        tanh        from=S2,C3
F5     dense    4     -     -       -       -        softmax
"""


@settings(max_examples=4, phases=[Phase.generate])
@given(graph=graphs(), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_any_graph_runs_as_the_reference_evaluates_it(graph, batch, seed):
    check_graph(graph, batch, seed)


@pytest.mark.parametrize(
    ("precision", "error"),
    [("float32", 1e-5), ("tf32", 1e-2), ("float16", 1e-2), ("bfloat16", 0.1)],
)
def test_a_model_computes_in_the_precision_that_is_asked_for(precision, error):
    network = cnndsl.parse(text=TABLE)
    model = cnndsl.compile(network, seed=1, target="cuda", precision=precision)
    reference = cnndsl.compile(network, seed=1, target="reference")
    x = np.random.default_rng(2).standard_normal((2, *model.input_shape), np.float32)
    largest = np.abs(model(x) - reference(x)).max()
    assert largest <= error
    assert precision == "float32" or largest > 1e-6
    assert precision == "float32" or repr(model).endswith(f", precision={precision}>")


def test_the_shortcut_is_added_by_the_convolution():
    compilation = Compilation(cnndsl.parse(text=TABLE), "cuda")
    assert [step.kernel for step in compilation.plan.steps].count("add") == 0


def test_a_saved_model_runs_on_the_simulated_gpu(tmp_path):
    model = cnndsl.compile(cnndsl.parse(text=TABLE), seed=1, target="cuda")
    model.save(tmp_path / "m.cnnm")
    x = np.random.default_rng(2).standard_normal(model.input_shape, np.float32)
    for _ in range(2):  # planned, then found planned
        loaded = cnndsl.load(tmp_path / "m.cnnm", target="cuda")
        np.testing.assert_array_equal(loaded(x), model(x))


def test_a_batch_in_slices_is_the_batch(monkeypatch):
    model = cnndsl.compile(cnndsl.parse(text=TABLE), seed=1, target="cuda")
    x = np.random.default_rng(2).standard_normal((5, *model.input_shape), np.float32)
    whole = model(x)
    monkeypatch.setattr(executables, "SLICE_BYTES", 2 * x[0].nbytes)
    np.testing.assert_allclose(model(x), whole, rtol=1e-5, atol=1e-6)
