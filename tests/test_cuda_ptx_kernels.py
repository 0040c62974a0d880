"""The CUDA target's kernels as the compiler leaves them: their PTX, run by `ptx_machine`."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from cuda_memory import Fault
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tolerances import bound

import cnndsl

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.availability import missing_compilers
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if SIMULATED or missing_compilers():
    pytest.skip("needs NVIDIA's compilers: pip install 'cnndsl[cuda]'", allow_module_level=True)

from cuda_checks import check_operator
from cuda_gemm import UNITS, Problem, convolutions, strides_within, thin_convolutions
from cuda_kernels import KERNELS
from op_cases import CASES
from ptx_machine.device import Called, PtxDevice, machine
from ptx_machine.execute import Machine
from test_cpu_operators import NOT_COMPUTED

from cnndsl.backends.cuda import backend as backends
from cnndsl.backends.cuda.compile import kernel_ptx
from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.depthwise import DepthwiseLaunch, maps_of_thread
from cnndsl.backends.cuda.gpu import Gpu, architecture_name
from cnndsl.backends.cuda.rounding import factors, rounded_words
from cnndsl.backends.cuda.shapes.conv_depthwise import DepthwiseTile
from cnndsl.backends.cuda.shapes.dense_vector import VectorTile
from cnndsl.backends.cuda.tiles import TileLaunch, tile_kernel, tiles
from cnndsl.backends.cuda.vectors import VectorLaunch
from cnndsl.ops.text import parse_op
from cnndsl.types import f32

pytestmark = pytest.mark.slow

TURING, AMPERE, HOPPER = (7, 5), (8, 0), (9, 0)
SHARED_BYTES = {TURING: 64 << 10, AMPERE: 163 << 10, HOPPER: 227 << 10}
# Without shrinking: a failing example takes seconds here.
FEW = settings(max_examples=5, phases=[Phase.generate], deadline=None)


def device(architecture=AMPERE, processors=4):
    """A small device, which suits small problems."""
    return PtxDevice(Gpu("machine", architecture, processors, SHARED_BYTES[architecture]))


def on(a_device):
    """What runs a problem's kernels on a device."""
    return lambda kernel: Called(kernel, a_device)


def tile_cases():
    """Of each precision the smallest tile, by quads and by single maps, and larger ones."""
    for architecture, precisions in (
        (TURING, ("float32", "float16")),
        (AMPERE, ("float32", *UNITS)),
    ):
        for precision in precisions:
            name = f"{architecture_name(architecture)}-{precision}"
            known = {n: tiles(device(architecture).gpu, precision, n) for n in (4, 1)}
            yield pytest.param(architecture, known[4][-1], id=f"{name}-quads")
            yield pytest.param(architecture, known[1][-1], id=f"{name}-single")
            if precision in ("tf32", "float16"):
                yield pytest.param(architecture, known[4][-3], id=f"{name}-larger")
                yield pytest.param(architecture, known[4][-4], id=f"{name}-wide")


def allowed_error(launch, magnitude):
    """Both factors of a product are rounded, and sums as in float32."""
    unit = UNITS.get(launch.tile.instruction.removesuffix("_short"), 0.0)
    sums = bound(launch.convolution.reduction + launch.splits + 2, magnitude)
    return (2 * unit + unit**2) * magnitude + sums


@pytest.mark.parametrize(("architecture", "tile"), list(tile_cases()))
@FEW
@given(data=st.data(), adds=st.booleans(), splits=st.sampled_from([1, 1, 3]))
def test_a_tile_computes_the_defining_sum_and_writes_nothing_else(
    architecture, tile, data, adds, splits
):
    c = data.draw(convolutions(tile.vector, side=7, maps=70))
    if splits > 1:  # they are added as if all pixels lay in one row
        c = replace(c, y=Strides.dense(c.size, c.out_maps))
    problem, launch = Problem(c, 1, on(device(architecture))), TileLaunch(c, tile, splits)
    want, magnitude = problem.expected(adds)
    problem.check(problem.by_tiles(launch, adds), want, allowed_error(launch, magnitude))


def test_a_long_sum_goes_through_all_stages_of_all_copies():
    gpu = device().gpu
    for precision in ("float32", "tf32", "float16"):
        size, tile = (5, 7), tiles(gpu, precision, 4)[-1]
        strides = Strides.dense(size, 36), Strides.dense(size, 33)
        c = Convolution(1, size, size, 36, 33, *strides, (3, 3), padding=(1, 1))
        problem, launch = Problem(c, 2, on(device())), TileLaunch(c, tile)
        assert launch.steps > 2 * tile.stages
        want, magnitude = problem.expected()
        problem.check(problem.by_tiles(launch), want, allowed_error(launch, magnitude))


# ---- what the machine would say of a kernel that is wrong

BROKEN = {
    "a wait too few": ("cp.async.wait_group 2;", "cp.async.wait_group 3;", Fault),
    "no barrier": ("bar.sync \t0;", "", Fault),
    "no rounding": ("cvt.rna.tf32.f32", "mov.b32", Fault),
    "columns for rows": ("m8n8.x4.shared", "m8n8.x4.trans.shared", AssertionError),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_kernel_that_is_broken_is_found(fault, monkeypatch):
    before, after, error = BROKEN[fault]
    tile = tiles(device().gpu, "tf32", 4)[-1]
    text = kernel_ptx_once(tile_kernel(tile, "linear"))
    assert before in text
    broken = Machine(text.replace(before, after))
    monkeypatch.setattr("ptx_machine.device.machine", lambda kernel, architecture: broken)
    size = (5, 7)
    strides = Strides.dense(size, 36), Strides.dense(size, 33)
    c = Convolution(1, size, size, 36, 33, *strides, (3, 3), padding=(1, 1))
    problem, launch = Problem(c, 2, on(device())), TileLaunch(c, tile)
    want, magnitude = problem.expected()
    with pytest.raises(error):
        problem.check(problem.by_tiles(launch), want, allowed_error(launch, magnitude))


@cache
def kernel_ptx_once(kernel):
    return kernel_ptx(kernel, AMPERE)


# ---- dense layers and thin convolutions

VECTOR_TILES = [
    VectorTile(1, 1, 8),
    VectorTile(2, 4, 2),
    VectorTile(8, 8, 1, vector=1),
    VectorTile(2, 2, 4, "float16"),
    VectorTile(1, 8, 1, "bfloat16"),
]


@pytest.mark.parametrize(
    ("architecture", "tile"),
    [(AMPERE, tile) for tile in VECTOR_TILES] + [(TURING, VECTOR_TILES[1])],
    ids=lambda value: "-".join(map(str, value)),
)
@FEW
@given(
    images=st.integers(1, 9),
    inputs=st.integers(1, 1200),
    outputs=st.integers(1, 40),
    adds=st.booleans(),
)
def test_a_dense_layer_is_the_product_with_its_weights_as_they_are_kept(
    architecture, tile, images, inputs, outputs, adds
):
    inputs = 4 * -(-inputs // 4) if tile.vector == 4 else inputs
    one = (1, 1)
    strides = strides_within(one, inputs, 0), strides_within(one, outputs, 3)
    c = Convolution(images, one, one, inputs, outputs, *strides)
    problem = Problem(c, inputs, on(device(architecture)))
    if tile.form != "float32":
        words = rounded_words(tile.form, problem.weight, problem.weight)
        problem.weight = np.ascontiguousarray(factors(tile.form, words)[..., 0])
    want, magnitude = problem.expected(adds)
    y = problem.by_vectors(VectorLaunch(c, tile), adds)
    problem.check(y, want, bound(inputs + 40, magnitude))


@settings(FEW, max_examples=12)
@given(c=thin_convolutions(), pixels=st.sampled_from([1, 4]), adds=st.booleans())
def test_a_thin_convolution_is_the_defining_sum(c, pixels, adds):
    problem = Problem(c, 3, on(device()))
    tile = DepthwiseTile(maps_of_thread(c), pixels, c.kernel[1], c.stride[1], c.dilation[1])
    want, magnitude = problem.expected(adds)
    y = problem.by_threads(DepthwiseLaunch(c, tile, 256), adds)
    problem.check(y, want, bound(c.reduction + 2, magnitude))


# ---- operators and networks


@pytest.mark.parametrize("row_type", sorted(set(CASES) - set(NOT_COMPUTED)))
@settings(FEW, max_examples=2)
@given(data=st.data(), seed=st.integers(0, 99))
def test_a_kernel_computes_what_the_operator_says(row_type, data, seed):
    op, types = data.draw(CASES[row_type])
    check_operator(device(), op, types, "relu", seed)


ROWS_OF_QUADS = (
    "maxpool kernel=3 stride=2 padding=same_upper",
    "avgpool kernel=2 stride=1 padding=same_lower divisor=inside",
    "lppool kernel=2 stride=2 p=2",
    "subsample kernel=2 stride=2",
    "batchnorm epsilon=1e-3",
    "prelu slopes=map",
    "add",
    "mul",
)


@pytest.mark.parametrize("row", ROWS_OF_QUADS)
def test_maps_that_divide_by_four_are_taken_by_fours(row):
    a_device, op = device(), parse_op(row)
    for size, maps in (((5, 6), 4), ((2, 3), 12)):
        x = f32(*size, maps)
        check_operator(a_device, op, (x, x) if row in ("add", "mul") else (x,), "relu", maps)
    assert all("_4_" in name for name in a_device.launched)


@pytest.mark.parametrize(
    ("row", "x"),
    [
        ("lrn size=5 alpha=1e-4 beta=0.75 k=2", f32(3, 3, 96)),
        ("activation activation=softmax", f32(1000)),
        ("activation activation=softmax", f32(3, 5, 21)),
        ("globalavgpool", f32(7, 7, 50)),
        ("layernorm epsilon=1e-5 over=image", f32(4, 4, 40)),
    ],
)
def test_lines_longer_than_a_block_are_reduced(row, x):
    check_operator(device(), parse_op(row), (x,), "linear", 1)


def instructions(kernel, architecture):
    """As text, without the numbers that the compiler gives to variables in shared memory."""
    known = machine(kernel, architecture).module.instructions
    return [re.sub(r"_cudapy_smem_\d+", "own", instruction.text) for instruction in known]


@pytest.mark.parametrize("kernel", KERNELS[::5], ids=lambda kernel: kernel.name)
def test_other_architectures_run_the_same_instructions(kernel):
    known = [instructions(kernel, architecture) for architecture in (AMPERE, TURING, HOPPER)]
    assert known[0] == known[1] == known[2]


def test_hopper_runs_the_instructions_of_amperes_tiles():
    kernel = tile_kernel(tiles(device().gpu, "tf32", 4)[-1], "linear")
    assert instructions(kernel, AMPERE) == instructions(kernel, HOPPER)


@pytest.fixture
def ptx_device(monkeypatch):
    a_device = device(processors=2)
    monkeypatch.setattr(backends, "find_driver", lambda: a_device)
    return a_device


TABLE = """\
cnn 1
network Small

layer  type     maps  size  kernel  stride  padding  activation
In     input    3     9x8   -       -       -        -           layout=nchw
C1     conv     8     9x8   3x3     1       same     relu
S2     maxpool  8     4x4   2x2     2       valid    -
C3     conv     8     4x4   3x3     1       same     linear
A4     add      8     4x4   -       -       -        tanh        from=S2,C3
F5     dense    10    -     -       -       -        softmax
"""


@pytest.mark.parametrize(
    ("precision", "error"), [("tf32", 1e-2), ("float16", 1e-2), ("bfloat16", 0.1)]
)
def test_a_network_computes_in_the_precision_that_is_asked_for(ptx_device, precision, error):
    network = cnndsl.parse(text=TABLE)
    model = cnndsl.compile(network, seed=1, target="cuda", precision=precision)
    reference = cnndsl.compile(network, seed=1, target="reference")
    x = np.random.default_rng(2).standard_normal((9, *model.input_shape), np.float32)
    largest = np.abs(model(x) - reference(x)).max()
    assert 1e-7 < largest <= error
    assert any(f"_{precision}_" in name for name in ptx_device.launched)


@pytest.mark.usefixtures("ptx_device")
def test_lenet_runs_as_a_gpu_would_run_it():
    model = cnndsl.compile("lenet5", seed=1, target="cuda")
    reference = cnndsl.compile("lenet5", seed=1, target="reference")
    for batch in (1, 3):
        x = np.random.default_rng(2).standard_normal((batch, *model.input_shape), np.float32)
        expected = reference(x)
        np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5 * abs(expected).max())
