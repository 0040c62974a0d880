"""The CUDA target's largest tiles and a network, as PTX for each architecture, in `ptx_machine`."""

import numpy as np
import pytest
from tolerances import bound

import cnndsl

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.availability import missing_compilers, multiplies
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if SIMULATED or missing_compilers():
    pytest.skip("needs NVIDIA's compilers: pip install 'cnndsl[cuda]'", allow_module_level=True)

from cuda_gemm import UNITS, Problem
from ptx_machine.device import Called, PtxDevice

from cnndsl.backends.cuda import backend as backends
from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.gpu import ARCHITECTURES, architecture_name, assumed_gpu
from cnndsl.backends.cuda.tiles import TileLaunch, tiles
from cnndsl.types import PRECISIONS

pytestmark = pytest.mark.slow


def tile_cases():
    """Of each architecture and precision the largest tile, by quads and by single maps."""
    for architecture in ARCHITECTURES:
        for precision in PRECISIONS:
            if multiplies(architecture, precision):
                for vector in (4, 1):
                    tile = tiles(assumed_gpu(architecture), precision, vector)[0]
                    name = f"{architecture_name(architecture)}-{precision}-{vector}"
                    yield pytest.param(architecture, tile, id=name)


@pytest.mark.parametrize(("architecture", "tile"), list(tile_cases()))
def test_the_largest_tile_computes_the_defining_sum_at_every_edge(architecture, tile):
    # Two tiles of rows, two of columns, more slices than stages, and ends that fill none of them.
    maps = tile.vector * 5 if tile.vector == 4 else 21
    size, out_maps = (tile.rows // 16 + 1, 17), tile.columns + 5
    strides = Strides.dense(size, maps), Strides.dense(size, out_maps)
    c = Convolution(1, size, size, maps, out_maps, *strides, (3, 3), padding=(1, 1))
    device = PtxDevice(assumed_gpu(architecture))
    problem, launch = Problem(c, 4, lambda kernel: Called(kernel, device)), TileLaunch(c, tile)
    assert launch.row_tiles == launch.column_tiles == 2
    assert launch.steps > tile.stages
    want, magnitude = problem.expected(adds=True)
    unit = UNITS.get(tile.instruction.removesuffix("_short"), 0.0)
    allowed = (2 * unit + unit**2) * magnitude + bound(c.reduction + 2, magnitude)
    problem.check(problem.by_tiles(launch, True), want, allowed)


# AlexNet's rows in their order, with odd sizes everywhere and few maps.
TABLE = """\
cnn 1
network SmallAlexNet

layer  type     maps  size   kernel  stride  padding  activation
In     input    3     37x35  -       -       -        -           layout=nchw
C1     conv     12    14x13  11x11   2       valid    relu
N1     lrn      12    14x13  -       -       -        -           r=2 alpha=2e-5 beta=0.75 k=1
S2     maxpool  12    6x6    3x3     2       valid    -
C3     conv     33    6x6    5x5     1       same     relu
N3     lrn      33    6x6    -       -       -        -           r=2 alpha=2e-5 beta=0.75 k=1
C5     conv     40    6x6    3x3     1       same     relu
C6     conv     40    6x6    3x3     1       same     relu        groups=2
S8     maxpool  40    2x2    3x3     2       valid    -
F9     dense    70    -      -       -       -        relu
F10    dense    67    -      -       -       -        relu
Out    dense    11    -      -       -       -        softmax
"""
ERRORS = {"float32": 1e-5, "tf32": 1e-2, "float16": 1e-2, "bfloat16": 5e-2}
"""The largest error of a probability, by precision."""


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=architecture_name)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_network_like_alexnet_is_as_exact_as_its_precision(architecture, precision, monkeypatch):
    if not multiplies(architecture, precision):
        pytest.skip("the architecture has no such instruction")
    device = PtxDevice(assumed_gpu(architecture))
    monkeypatch.setattr(backends, "find_driver", lambda: device)
    network = cnndsl.parse(text=TABLE)
    model = cnndsl.compile(network, seed=1, target="cuda", precision=precision)
    reference = cnndsl.compile(network, seed=1, target="reference")
    for batch in (3, 9):  # dense layers by vectors, and by tiles
        x = np.random.default_rng(2).standard_normal((batch, *model.input_shape), np.float32)
        assert np.abs(model(x) - reference(x)).max() <= ERRORS[precision]
