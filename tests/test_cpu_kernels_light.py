"""The light CPU kernels against the operators' float64 definitions, in every layout and split."""

import numpy as np
from cpu_kernel_driver import GUARD, UNTOUCHED, blank_of, cells, memory_of, outside
from cpu_program_driver import FEW, TINY, assert_close, execute, output_of, random_images
from hypothesis import given
from hypothesis import strategies as st
from tolerances import EPSILON, bound

from cnndsl.backends.cpu.lowering.combine import lower_add, lower_multiply
from cnndsl.backends.cpu.lowering.copy import lower_copy, lower_permute, lower_zero_halo
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.lrn import lower_lrn
from cnndsl.backends.cpu.lowering.pool import (
    lower_avg_pool,
    lower_max_pool,
    lower_subsample,
    whole_image,
)
from cnndsl.backends.cpu.lowering.rbf import lower_rbf
from cnndsl.backends.cpu.lowering.softmax import lower_log_softmax, lower_softmax
from cnndsl.errors import ShapeError
from cnndsl.ops.activation import Activation
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.lrn import Lrn, Neighbours
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.padding import Padding
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.subsample import Subsample
from cnndsl.ops.window import Window
from cnndsl.plan.plan import Buffer

sides = st.integers(1, 9)
maps = st.sampled_from([1, 2, 3, 6, 7, 8, 9, 15, 16, 17, 24, 31, 33, 47, 64, 67])
halos = st.tuples(*[st.integers(0, 2)] * 4)
batches = st.integers(1, 3)
reaches = st.one_of(st.integers(0, 3), st.integers(0, 70))
seeds = st.integers(0, 2**32 - 1)
functions = st.sampled_from(["linear", "relu", "tanh", "scaled_tanh", "sigmoid"])


def after(function: str, y: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What an epilogue makes of a float64 result and of the error allowed in it."""
    steepest = {"scaled_tanh": 1.15}.get(function, 1.0)
    result = Activation(function).evaluate(y)
    return result, error * steepest + FEW * EPSILON * np.abs(result) + TINY


@st.composite
def pools(draw):
    """A random window, an image that it fits, and the type of its result."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 2)]))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    padding = [(draw(st.integers(0, r)), draw(st.integers(0, r))) for r in reach]
    window = Window(
        kernel,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        padding=Padding("explicit", (padding[0], padding[1])),
        dilation=dilation,
        rounding=draw(st.sampled_from(["floor", "ceil"])),
    )
    image = draw(st.tuples(sides, sides))
    try:
        rows, columns = window.output(image)
        every = all(window.cells_counted(image, axis, padded=False).all() for axis in (0, 1))
    except ShapeError:
        every, rows, columns = False, 0, 0
    if not every:  # a window without a cell has no maximum and no mean
        window, (rows, columns) = whole_image(image), (1, 1)
    count = draw(maps)
    x = Buffer("x", (*image, count), "input", halo=draw(halos))
    y = Buffer("y", (rows, columns, count), "output", halo=draw(halos))
    return window, x, y


def as_op(kind, window: Window, **options):
    names = ("kernel", "stride", "padding", "dilation", "rounding")
    return kind(*(getattr(window, name) for name in names), **options)


@given(pools(), batches, seeds)
def test_max_pool_is_exact(pool, batch, seed):
    window, x, y = pool
    images = random_images((batch, *x.image), seed)
    result = output_of(lower_max_pool(window, x, y, Epilogue()), x, y, images)
    np.testing.assert_array_equal(result, as_op(MaxPool, window).evaluate(images))


@given(pools(), batches, seeds)
def test_max_pool_passes_infinities_and_nan_on_as_numpy_does(pool, batch, seed):
    window, x, y = pool
    images = random_images((batch, *x.image), seed)
    rng = np.random.default_rng(seed)
    for special in (np.nan, np.inf, -np.inf):
        images[rng.random(images.shape) < 0.1] = special
    result = output_of(lower_max_pool(window, x, y, Epilogue()), x, y, images)
    np.testing.assert_array_equal(result, as_op(MaxPool, window).evaluate(images))


@given(pools(), batches, seeds, st.sampled_from(["inside", "padded"]), functions)
def test_avg_pool_is_the_mean(pool, batch, seed, divisor, function):
    window, x, y = pool
    images = random_images((batch, *x.image), seed)
    lowered = lower_avg_pool(window, x, y, Epilogue.of(function), padded=divisor == "padded")
    op = as_op(AvgPool, window, divisor=divisor)
    plain, magnitude = (op.evaluate(a.astype(float)) for a in (images, abs(images)))
    error = bound(np.prod(window.kernel) + 1, magnitude)
    assert_close(output_of(lowered, x, y, images), *after(function, plain, error))


@given(pools(), batches, seeds, functions)
def test_subsample_weighs_the_sum(pool, batch, seed, function):
    window, x, y = pool
    images = random_images((batch, *x.image), seed)
    weight, bias = random_images((2, x.image[2]), seed + 1)
    lowered = lower_subsample(window, x, y, Epilogue.of(function), weight, bias)
    op = as_op(Subsample, window)
    plain, magnitude = (
        op.evaluate(a.astype(float), weight=w.astype(float), bias=b.astype(float))
        for a, w, b in ((images, weight, bias), (abs(images), abs(weight), abs(bias)))
    )
    error = bound(np.prod(window.kernel) + 2, magnitude)
    assert_close(output_of(lowered, x, y, images), *after(function, plain, error))


@given(sides, sides, maps, halos, halos, batches, seeds, functions)
def test_copy_applies_the_function_and_moves_halos(h, w, c, x_halo, y_halo, batch, seed, function):
    x = Buffer("x", (h, w, c), "input", halo=x_halo)
    y = Buffer("y", (h, w, c), "output", halo=y_halo)
    images = 3 * random_images((batch, h, w, c), seed)
    result = output_of(lower_copy(x, y, Epilogue.of(function)), x, y, images)
    assert_close(result, *after(function, images.astype(float), np.zeros(images.shape)))


@given(sides, sides, maps, halos, batches, seeds)
def test_permute_turns_layouts_into_each_other(h, w, c, halo, batch, seed):
    images = random_images((batch, h, w, c), seed)
    x = Buffer("x", (h, w, c), "input", halo=halo)
    turned = Buffer("y", (h, w, c), "output", layout="nchw")
    memory = blank_of(turned, batch)
    execute(lower_permute(x, turned)(batch), memory_of(x, images), memory)
    nchw = memory[GUARD:-GUARD].reshape(batch, c, h, w)
    np.testing.assert_array_equal(nchw, images.transpose(0, 3, 1, 2))
    given = Buffer("x", (h, w, c), "input", layout="nchw")
    y = Buffer("y", (h, w, c), "output", halo=halo)
    back = blank_of(y, batch)
    execute(lower_permute(given, y)(batch), memory, back)
    np.testing.assert_array_equal(cells(y, back, batch), images)
    assert (outside(y, back, batch) == UNTOUCHED).all()


@given(sides, sides, maps, halos, batches)
def test_zero_halo_writes_the_halo_and_nothing_else(h, w, c, halo, batch):
    y = Buffer("y", (h, w, c), "output", halo=halo)
    memory = blank_of(y, batch)
    execute(lower_zero_halo(y)(batch), memory, memory)
    assert (cells(y, memory, batch) == UNTOUCHED).all()
    assert (memory[:GUARD] == UNTOUCHED).all()
    assert (memory[-GUARD:] == UNTOUCHED).all()
    assert (outside(y, memory, batch)[GUARD:-GUARD] == 0).all()


@given(
    st.tuples(sides, sides, maps),
    st.tuples(halos, halos),
    st.tuples(reaches, reaches),
    st.sampled_from([0.75, 0.5, 1.0, 0.6]),
    batches,
    seeds,
    functions,
)
def test_lrn_divides_by_its_neighbours(image, around, near, beta, batch, seed, function):
    x = Buffer("x", image, "input", halo=around[0])
    y = Buffer("y", image, "output", halo=around[1])
    images = 3 * random_images((batch, *image), seed)
    lower, upper = near
    window, k = Neighbours(lower, upper, 0.3), 1.5
    lowered = lower_lrn(window, k, beta, x, y, Epilogue.of(function))
    op = Lrn(alpha=0.3, beta=beta, k=k, depth_radius=1)
    squares = np.pad(images.astype(float) ** 2, [(0, 0)] * 3 + [(lower, upper)])
    sums = sum(squares[..., i : i + image[2]] for i in range(lower + upper + 1))
    plain = images / (k + 0.3 * sums) ** beta
    if lower == upper == 1:
        np.testing.assert_allclose(plain, op.evaluate(images.astype(float)))
    error = bound(lower + upper + 1 + FEW, np.abs(plain))
    assert_close(output_of(lowered, x, y, images), *after(function, plain, error))


@given(sides, sides, maps, halos, halos, batches, seeds, st.sampled_from([1.0, 30.0, 1e30]))
def test_softmax_is_a_distribution_over_maps(h, w, c, x_halo, y_halo, batch, seed, scale):
    x = Buffer("x", (h, w, c), "input", halo=x_halo)
    y = Buffer("y", (h, w, c), "output", halo=y_halo)
    images = np.float32(scale) * random_images((batch, h, w, c), seed)
    result = output_of(lower_softmax(x, y), x, y, images)
    expected = Activation("softmax").evaluate(images.astype(float))
    # The exponent's rounding is a relative error of the power; beyond 104 that is 0 anyway.
    exponent = np.minimum(images.max(-1, keepdims=True) - images.astype(float), 104)
    assert_close(result, expected, (c + FEW + exponent) * EPSILON * expected + TINY * c)


@given(sides, sides, maps, halos, halos, batches, seeds, st.sampled_from([1.0, 30.0, 1e30]))
def test_log_softmax_is_the_logarithm_of_softmax(h, w, c, x_halo, y_halo, batch, seed, scale):
    x = Buffer("x", (h, w, c), "input", halo=x_halo)
    y = Buffer("y", (h, w, c), "output", halo=y_halo)
    images = np.float32(scale) * random_images((batch, h, w, c), seed)
    result = output_of(lower_log_softmax(x, y), x, y, images)
    expected = Activation("log_softmax").evaluate(images.astype(float))
    # An absolute error of the logarithm, and the rounding of differences of large numbers.
    assert_close(result, expected, (c + FEW) * EPSILON * (1 + np.abs(expected)))


def test_softmax_of_nan_or_of_infinity_is_nan_everywhere():
    x, y = Buffer("x", (3, 1, 11), "input"), Buffer("y", (3, 1, 11), "output")
    images = random_images((1, 3, 1, 11), 0)
    images[0, 0, 0, 10], images[0, 1, 0, 2] = np.nan, np.inf
    result = output_of(lower_softmax(x, y), x, y, images)
    assert np.isnan(result[0, :2]).all()
    assert np.isfinite(result[0, 2]).all()


@given(
    st.tuples(sides, sides, maps),
    st.tuples(halos, halos, halos),
    st.tuples(*[st.tuples(*[st.booleans()] * 3)] * 2),
    batches,
    seeds,
    functions,
)
def test_sums_and_products_go_cell_by_cell(image, around, single, batch, seed, function):
    # Both operands lie in one memory; a side of one may be a single cell that goes with all.
    shapes = [
        tuple(1 if one else side for side, one in zip(image, ones, strict=True)) for ones in single
    ]
    y = Buffer("y", tuple(map(max, *shapes)), "output", halo=around[2])
    a = Buffer("a", shapes[0], "input", halo=around[0])
    b = Buffer("b", shapes[1], "input", a.image_stride, around[1])
    numbers = [random_images((batch, *shape), seed + i) for i, shape in enumerate(shapes)]
    memory = np.concatenate(
        [memory_of(x, n)[GUARD:-GUARD] for x, n in zip((a, b), numbers, strict=True)]
    )
    memory = np.pad(memory, GUARD, constant_values=np.nan)
    first, second = (n.astype(float) for n in numbers)
    kinds = [(lower_multiply, first * second)]
    if shapes[0] == shapes[1]:
        kinds.append((lower_add, first + second))
    for lower, plain in kinds:
        call = lower(a, b, y, Epilogue.of(function))(batch)
        whole, pieces = blank_of(y, batch), blank_of(y, batch)
        execute(call, memory, whole)
        execute(call, memory, pieces, [(i, i + 1) for i in reversed(range(call.units))])
        assert whole.tobytes() == pieces.tobytes()
        assert (outside(y, whole, batch) == UNTOUCHED).all()
        wanted, allowed = after(function, plain, EPSILON * np.abs(plain))
        assert_close(cells(y, whole, batch), wanted, allowed)


@given(sides, sides, maps, maps, halos, batches, seeds)
def test_a_copy_into_a_part_leaves_the_rest(h, w, c, more, halo, batch, seed):
    images = random_images((batch, h, w, c), seed)
    x = Buffer("x", (h, w, c), "input")
    y = Buffer("y", (h, w, more + c), "output", halo=halo)
    memory = blank_of(y, batch)
    execute(lower_copy(x, y, Epilogue(), at=more)(batch), memory_of(x, images), memory)
    np.testing.assert_array_equal(cells(y, memory, batch)[..., more:], images)
    assert (cells(y, memory, batch)[..., :more] == UNTOUCHED).all()
    assert (outside(y, memory, batch) == UNTOUCHED).all()


@given(st.integers(1, 100), st.integers(1, 20), batches, seeds, st.booleans(), functions)
def test_rbf_measures_distances(features, classes, batch, seed, euclidean, function):
    x, y = Buffer("x", (features,), "input"), Buffer("y", (classes,), "output")
    images = random_images((batch, 1, 1, features), seed)
    weight = random_images((classes, features), seed + 1)
    lowered = lower_rbf(weight, x, y, Epilogue.of(function), euclidean=euclidean)
    op = Rbf(classes, "euclidean" if euclidean else "squared")
    plain = op.evaluate(images.reshape(batch, -1).astype(float), weight=weight.astype(float))
    error = bound(features + 4, plain)
    wanted, allowed = after(function, plain, error)
    result = output_of(lowered, x, y, images).reshape(batch, classes)
    assert_close(result, wanted, allowed)
