"""
The target cuda on a GPU: `python -m pytest -m gpu`. Skipped where there is none.

Under `compute-sanitizer --tool memcheck` and `--tool racecheck` it must be clean as well.
"""

import threading

import numpy as np
import pytest
from cuda_checks import check_graph, check_operator
from graph_strategies import graphs
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES
from test_cpu_operators import NOT_COMPUTED

import cnndsl
from benchmarks.unit_variance import unit_variance_weights
from cnndsl.backends.cuda.device import shared_device
from cnndsl.backends.cuda.simulator import is_simulated
from cnndsl.cli.expectations import channels_last
from cnndsl.errors import CnnError

pytestmark = pytest.mark.gpu

PRECISIONS = {"float32": 1e-4, "tf32": 1e-2, "float16": 1e-2, "bfloat16": 5e-2}
"""The largest error of a network's output, over its largest value."""


@pytest.fixture(scope="module")
def device():
    if is_simulated():
        pytest.skip("this process simulates a GPU")
    try:
        return shared_device()
    except CnnError as error:
        pytest.skip(error.diagnostics[0].message)


def models(spec, **options):
    return (
        cnndsl.compile(spec, seed=1, target="cuda", **options),
        cnndsl.compile(spec, seed=1, target="reference"),
    )


def images(model, batch):
    return np.random.default_rng(2).standard_normal((batch, *model.input_shape), np.float32)


@pytest.mark.parametrize("row_type", sorted(set(CASES) - set(NOT_COMPUTED)))
@given(
    data=st.data(),
    function=st.sampled_from(["linear", "linear", "relu", "tanh"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_kernel_computes_what_the_operator_says(device, row_type, data, function, seed):
    op, types = data.draw(CASES[row_type])
    check_operator(device, op, types, function, seed)


@pytest.mark.usefixtures("device")
@given(graph=graphs(), batch=st.integers(1, 5), seed=st.integers(0, 99))
def test_any_graph_runs_as_the_reference_evaluates_it(graph, batch, seed):
    check_graph(graph, batch, seed)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "spec", ["lenet5", "fashion_mnist", "alexnet", "squeezenet1_1", "resnet18"]
)
def test_shipped_networks_are_as_exact_as_their_precision(spec, precision):
    network = cnndsl.parse(spec)
    row = network.signature.input
    x = np.random.default_rng(2).standard_normal((2, *row.array_shape), np.float32)
    weights = unit_variance_weights(network, 1, [channels_last(x, row.layout)])
    try:
        model = cnndsl.compile(network, weights, target="cuda", precision=precision)
    except CnnError as error:
        pytest.skip(error.diagnostics[0].message)
    expected = cnndsl.compile(network, weights, target="reference")(x)
    error = np.abs(model(x) - expected).max() / np.abs(expected).max()
    assert error <= PRECISIONS[precision]


@pytest.mark.usefixtures("device")
def test_callers_at_once_get_their_own_results():
    model, _ = models("lenet5")
    batches = [images(model, n) for n in (1, 2, 3, 2)]
    expected = [model(x) for x in batches]
    wrong = []

    def call(x, y):
        wrong.extend(i for i in range(50) if not np.array_equal(model(x), y))

    threads = [
        threading.Thread(target=call, args=pair) for pair in zip(batches, expected, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.usefixtures("device")
def test_a_batch_in_slices_is_the_batch():
    model, _ = models("fashion_mnist")
    x = images(model, 16384)  # more than a slice
    np.testing.assert_allclose(model(x)[-8:], model(x[-8:]), rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("device")
def test_tensors_of_pytorch_are_read_and_written_in_place(torch):
    model, _ = models("lenet5")
    x = images(model, 4)
    on_device = torch.from_numpy(x).cuda()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    out = torch.empty(4, 10, device="cuda")
    model.on_device(on_device, out=out, stream=stream)
    stream.synchronize()
    np.testing.assert_array_equal(out.cpu().numpy(), model(x))
    np.testing.assert_array_equal(torch.as_tensor(model(on_device)).cpu().numpy(), model(x))
    np.testing.assert_array_equal(torch.from_dlpack(model(on_device)).cpu().numpy(), model(x))


def test_memory_that_is_not_there_is_refused_by_the_plan(device):
    model, _ = models("alexnet")
    before = device.free_bytes()
    executable = model._executable
    too_many = 1  # sums of splits take memory in small batches alone, so it is no multiple of one's
    while executable.program(too_many).bytes <= before:
        too_many *= 2
    with pytest.raises(CnnError, match="of free memory, and a batch of"):
        executable._session(executable.program(too_many))
    assert device.free_bytes() >= before  # what idle batch sizes held is given up
