"""The kernels of thin convolutions and of dense layers of few images, in the simulator."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import bound

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cuda_gemm import Problem, cells, strides_within, thin_convolutions
from cuda_steps import computed, step_of

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.depthwise import DepthwiseLaunch, maps_of_thread
from cnndsl.backends.cuda.rounding import factors, rounded_words
from cnndsl.backends.cuda.shapes.conv_depthwise import DepthwiseTile
from cnndsl.backends.cuda.shapes.dense_vector import VectorTile
from cnndsl.backends.cuda.simulator import Simulator
from cnndsl.backends.cuda.vectors import VectorLaunch
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.padding import Padding
from cnndsl.types import f32


@settings(deadline=None, max_examples=60)
@given(
    c=thin_convolutions(),
    pixels=st.integers(1, 4),
    threads=st.integers(1, 8),
    adds=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_thin_convolution_is_the_defining_sum(c, pixels, threads, adds, seed):
    problem = Problem(c, seed)
    tile = DepthwiseTile(maps_of_thread(c), pixels, c.kernel[1], c.stride[1], c.dilation[1])
    want, magnitude = problem.expected(adds)
    y = problem.by_threads(DepthwiseLaunch(c, tile, threads), adds)
    problem.check(y, want, bound(c.reduction + 2, magnitude))


VECTOR_TILES = [
    VectorTile(1, 1, 1),
    VectorTile(2, 2, 1),
    VectorTile(2, 1, 2),
    VectorTile(4, 1, 1),
    VectorTile(1, 2, 1, vector=1),
    VectorTile(8, 1, 1, vector=1),
    VectorTile(1, 1, 1, "float16"),
    VectorTile(2, 2, 1, "bfloat16"),
    VectorTile(2, 1, 1, "bfloat16", vector=1),
]


@settings(deadline=None, max_examples=30)
@given(
    tile=st.sampled_from(VECTOR_TILES),
    images=st.integers(1, 3),
    inputs=st.integers(1, 140),
    outputs=st.integers(1, 9),
    adds=st.booleans(),
)
def test_a_dense_layer_is_the_product_with_its_weights_as_they_are_kept(
    tile, images, inputs, outputs, adds
):
    if tile.vector == 4:
        inputs = 4 * -(-inputs // 2)
    one = (1, 1)
    strides = strides_within(one, inputs, 0), strides_within(one, outputs, 3)
    problem = Problem(Convolution(images, one, one, inputs, outputs, *strides), inputs)
    if tile.form != "float32":
        words = rounded_words(tile.form, problem.weight, problem.weight)
        problem.weight = np.ascontiguousarray(factors(tile.form, words)[..., 0])
    want, magnitude = problem.expected(adds)
    y = problem.by_vectors(VectorLaunch(problem.convolution, tile), adds)
    problem.check(y, want, bound(inputs + 40, magnitude))


@pytest.mark.parametrize("images", [2, 3])
def test_an_image_has_the_same_bits_alone_as_among_others(images):
    one = (1, 1)
    strides = Strides.dense(one, 200), Strides.dense(one, 6)
    together = Problem(Convolution(images, one, one, 200, 6, *strides))
    alone = Problem(Convolution(1, one, one, 200, 6, *strides))
    alone.weight, alone.bias = together.weight, together.bias
    launch = VectorLaunch(together.convolution, VectorTile(4, 2, 1))
    rows = cells(together.by_vectors(launch), images, one, 6, strides[1])
    for x, y in zip(together.x, rows, strict=True):
        alone.x[:] = x
        single = alone.by_vectors(VectorLaunch(alone.convolution, VectorTile(1, 2, 1)))
        np.testing.assert_array_equal(single, y.ravel())


def test_cells_that_no_tap_of_a_transposed_convolution_reaches_read_nothing():
    op = ConvTranspose(2, (1, 2), (2, 3), Padding("explicit", ((0, 0), (0, 0))))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 2, 2, 4), np.float32)
    x[0, 0, 0, 0] = np.nan
    params = {p.name: rng.standard_normal(p.shape, np.float32) for p in op.params(f32(2, 2, 4))}
    y = computed(Simulator(), step_of(op, [x]), [x], params)
    want = op.evaluate(x.astype(float), **{n: p.astype(float) for n, p in params.items()})
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)
