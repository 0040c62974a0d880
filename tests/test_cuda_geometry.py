"""Tiles, launches and packed weights of the CUDA target's products, on the host."""

from dataclasses import replace
from itertools import product
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.depthwise import choose_depthwise, maps_of_thread, suits_depthwise
from cnndsl.backends.cuda.gpu import (
    ARCHITECTURES,
    LARGEST_BLOCK,
    LARGEST_GRID,
    SIMULATED_GPU,
    Gpu,
    assumed_gpu,
)
from cnndsl.backends.cuda.packing import pack_panels, pack_rows, pack_taps
from cnndsl.backends.cuda.rounding import factors, rounded_words
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.shapes.dense_vector import OUTPUTS
from cnndsl.backends.cuda.tiles import choose_tile, tile_kernel, tiles
from cnndsl.backends.cuda.vectors import choose_vectors, suits_vectors
from cnndsl.errors import TargetError

GPUS = [assumed_gpu(architecture) for architecture in ARCHITECTURES]
H100 = Gpu("H100", (9, 0), 132, 227 * 1024)
STATIC_BYTES = 48 * 1024
PRECISIONS = ("float32", "tf32", "float16", "bfloat16")


def precisions(gpu: Gpu) -> tuple[str, ...]:
    return PRECISIONS if gpu.architecture >= (8, 0) else ("float32", "float16")


def all_tiles(gpus: list[Gpu]) -> list[Tile]:
    drawn = product(gpus, (4, 1), PRECISIONS)
    sets = [tiles(gpu, p, vector) for gpu, vector, p in drawn if p in precisions(gpu)]
    return sorted({tile for tiles in sets for tile in tiles})


@pytest.mark.parametrize("tile", all_tiles([*GPUS, SIMULATED_GPU]), ids=str)
def test_a_block_shares_its_tile_evenly(tile):
    assert tile.is_even
    assert tile.threads <= LARGEST_BLOCK
    assert tile.threads * tile.sums == tile.rows * tile.columns


@given(
    gpu=st.sampled_from([*GPUS, H100]),
    kibibytes=st.integers(14, 227),
    vector=st.sampled_from([1, 4]),
)
def test_tiles_fit_the_shared_memory_that_a_block_may_have(gpu, kibibytes, vector):
    gpu = replace(gpu, shared_bytes=kibibytes << 10)
    for precision in precisions(gpu):
        for tile in tiles(gpu, precision, vector):
            assert tile.shared_bytes <= gpu.shared_bytes
            assert tile.launch_bytes == tile_kernel(tile, "relu").shared_bytes
            assert 2 <= tile.stages <= (4 if gpu.has_async_copies else 2)


def test_a_gpu_without_shared_memory_is_refused_with_what_a_tile_needs():
    with pytest.raises(
        TargetError, match=r"has 4096 bytes of shared memory for a block, and .* 9728"
    ):
        tiles(replace(H100, shared_bytes=4096), "float32", 4)


def test_an_h100_has_tiles_that_no_static_memory_holds():
    large = [t for p in PRECISIONS for t in tiles(H100, p, 4) if t.shared_bytes > STATIC_BYTES]
    assert {tile.stages for tile in large} == {3, 4}
    assert {tile.instruction for tile in large} == {"fma", "tf32", "float16", "bfloat16"}


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
def test_tiles_of_a_precision_share_their_packed_weights(gpu):
    weight = np.random.default_rng(0).standard_normal((10, 3, 3, 3), np.float32)
    for precision in precisions(gpu):
        packed = [
            pack_panels(weight, 2, tile)
            for vector in (4, 1)
            for tile in tiles(gpu, precision, vector)
        ]
        for other in packed[1:]:
            np.testing.assert_array_equal(packed[0].view(np.uint32), other.view(np.uint32))


@pytest.mark.parametrize("tile", [t for t in all_tiles(GPUS) if t.tensor_core], ids=str)
def test_lanes_that_read_the_factors_together_meet_different_banks(tile):
    # A matrix is read at a time: rows of four words.
    for row_apart in (tile.left_pitch, tile.column_words):
        matrix = [row * row_apart + word for row in range(8) for word in range(4)]
        assert len({place % 32 for place in matrix}) == 32


def pairs(low: int, high: int):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw) -> Convolution:
    groups = draw(st.sampled_from([1, 1, 2, 32]))
    image = draw(pairs(1, 60))
    in_maps, out_maps = (groups * draw(st.integers(1, 300)) for _ in range(2))
    kernel, stride = draw(pairs(1, 5)), draw(pairs(1, 3))
    size = ceil(image[0] / stride[0]), ceil(image[1] / stride[1])
    return Convolution(
        images=draw(st.integers(1, 64)),
        image=image,
        size=size,
        in_maps=in_maps,
        out_maps=out_maps,
        x=Strides.dense(image, in_maps),
        y=Strides.dense(size, out_maps),
        kernel=kernel,
        stride=stride,
        groups=groups,
    )


@settings(deadline=None)
@given(c=convolutions(), gpu=st.sampled_from([*GPUS, H100]), data=st.data())
def test_the_blocks_of_a_launch_cover_its_product_once(c, gpu, data):
    launch = choose_tile(c, gpu, data.draw(st.sampled_from(precisions(gpu))))
    tile, fields = launch.tile, launch.fields()
    rows, columns = (ceil(n / t) for n, t in ((c.rows, tile.rows), (c.group_out, tile.columns)))
    assert launch.grid == (rows * columns, 1, c.groups * launch.splits)
    assert all(n <= most for n, most in zip(launch.grid, LARGEST_GRID, strict=True))
    steps = [min(fields.steps, fields.slices - s * fields.steps) for s in range(launch.splits)]
    assert min(steps) > 0
    assert sum(steps) == fields.slices
    assert (fields.slices - 1) * tile.depth < c.reduction <= fields.slices * tile.depth
    assert fields.panel == fields.slices * tile.right_rows * fields.panel_row
    assert tile.shared_bytes <= gpu.shared_bytes
    assert launch.workspace == (launch.splits * c.rows * c.out_maps if launch.splits > 1 else 0)
    if tile.vector == 4:
        assert c.group_in % 4 == 0
        assert c.x.divide_by(4)


def test_a_small_product_is_split_until_it_fills_the_processors():
    size = (13, 13)
    c = Convolution(
        1, size, size, 256, 384, Strides.dense(size, 256), Strides.dense(size, 384), (3, 3)
    )
    assert prod(choose_tile(c, H100).grid) >= H100.processors
    many = replace(c, images=128)
    assert choose_tile(many, H100).splits == 1
    assert choose_tile(many, H100).tile.rows == 256


def test_split_sums_need_pixels_without_gaps():
    size = (4, 4)
    c = Convolution(1, size, size, 512, 64, Strides.dense(size, 512), Strides.dense(size, 64))
    assert choose_tile(c, H100).splits > 1
    assert choose_tile(replace(c, y=Strides(4096, 1024, 64)), H100).splits == 1


def test_odd_maps_and_odd_starts_are_read_one_by_one():
    size = (8, 8)
    c = Convolution(1, size, size, 8, 8, Strides.dense(size, 8), Strides.dense(size, 8))
    assert choose_tile(c, H100).tile.vector == 4
    assert choose_tile(replace(c, x=replace(c.x, start=2)), H100).tile.vector == 1
    odd = replace(c, in_maps=3, x=Strides.dense(size, 3))
    assert choose_tile(odd, H100).tile.vector == 1
    assert choose_tile(c, H100).fields().quads
    shifted = replace(c, y=replace(c.y, start=1))
    assert not choose_tile(shifted, H100).fields().quads


@settings(deadline=None)
@given(
    images=st.integers(1, 8),
    inputs=st.integers(1, 30000),
    outputs=st.integers(1, 5000),
    form=st.sampled_from(["float32", "float16", "bfloat16"]),
    gpu=st.sampled_from([*GPUS, H100]),
)
def test_a_dense_layer_of_few_images_has_teams_for_all_outputs(images, inputs, outputs, form, gpu):
    one = (1, 1)
    strides = Strides.dense(one, inputs), Strides.dense(one, outputs)
    dense = Convolution(images, one, one, inputs, outputs, *strides)
    assert suits_vectors(dense)
    launch = choose_vectors(dense, gpu, form)
    tile = launch.tile
    assert tile.images >= images
    assert launch.grid[0] * tile.teams * OUTPUTS >= outputs
    assert tile.threads == 256
    assert tile.shared_bytes <= STATIC_BYTES
    alone = choose_vectors(replace(dense, images=1), gpu, form).tile
    assert (tile.warps, tile.form) == (alone.warps, alone.form)


@given(outputs=st.integers(1, 9), inputs=st.integers(1, 300))
def test_packed_rows_hold_each_weight_once(outputs, inputs):
    weight = np.arange(1, outputs * inputs + 1, dtype=np.float32).reshape(outputs, inputs)
    one = (1, 1)
    strides = Strides.dense(one, inputs), Strides.dense(one, outputs)
    launch = choose_vectors(Convolution(1, one, one, inputs, outputs, *strides), H100)
    packed = pack_rows(weight)
    assert packed[0].size == launch.fields().panel
    rows = packed.swapaxes(1, 2).reshape(-1, packed.shape[1] * 128)
    np.testing.assert_array_equal(rows[:outputs, :inputs], weight)
    assert np.count_nonzero(packed) == weight.size


@pytest.mark.parametrize("form", ["float16", "bfloat16"])
def test_packed_halves_are_the_rounded_weights_in_order(form):
    weight = np.random.default_rng(0).standard_normal((4, 256), np.float32)
    numbers = factors(form, pack_rows(weight, form).view(np.uint32))
    wanted = factors(form, rounded_words(form, weight, weight))[..., 0]
    np.testing.assert_array_equal(numbers.reshape(4, 256), wanted)


@settings(deadline=None)
@given(c=convolutions(), maps=st.sampled_from([(1, 1), (4, 4), (1, 3)]))
def test_threads_of_a_thin_convolution_cover_its_outputs_once(c, maps):
    in_maps, out_maps = c.groups * maps[0], c.groups * maps[1]
    strides = {"x": Strides.dense(c.image, in_maps), "y": Strides.dense(c.size, out_maps)}
    c = replace(c, in_maps=in_maps, out_maps=out_maps, **strides)
    launch = choose_depthwise(c, H100)
    each = launch.tile
    across = ceil(c.size[1] / each.pixels)
    assert launch.cells * each.out_maps == c.images * c.size[0] * across * c.out_maps
    assert launch.grid[0] * launch.threads >= launch.cells
    assert each.pixels <= c.size[1]
    assert suits_depthwise(c) == (c.groups > 1)


def test_four_maps_share_a_thread_only_where_they_are_neighbours():
    size, strides = (5, 5), Strides.dense((5, 5), 8)
    c = Convolution(1, size, size, 8, 8, strides, strides, groups=8)
    assert maps_of_thread(c) == "each"
    assert maps_of_thread(replace(c, groups=2)) == "groups"
    assert maps_of_thread(replace(c, groups=4)) == "single"
    assert maps_of_thread(replace(c, x=replace(strides, start=1))) == "single"
    odd = Strides.dense(size, 6)
    assert maps_of_thread(replace(c, in_maps=6, out_maps=6, groups=6, x=odd, y=odd)) == "single"


def test_packed_taps_are_the_filters_by_rows_columns_and_maps():
    weight = np.random.default_rng(0).standard_normal((6, 2, 3, 4), np.float32)
    packed = pack_taps(weight)
    for o, c, u, v in product(range(6), range(2), range(3), range(4)):
        assert packed[u, v, c, o] == weight[o, c, u, v]


def test_packed_panels_are_the_filters_as_a_matrix():
    weight = np.random.default_rng(0).standard_normal((6, 2, 3, 4), np.float32)
    tile = Tile(8, 8, 4, 2, 4, 4)
    packed = pack_panels(weight, 2, tile)
    assert packed.shape == (2, 24, 4)
    for o, c, u, v in product(range(6), range(2), range(3), range(4)):
        group, o_of_group = divmod(o, 3)
        assert packed[group, (u * 4 + v) * 2 + c, o_of_group] == weight[o, c, u, v]
    halves = pack_panels(weight, 2, Tile(16, 8, 16, 2, 1, 1, "float16"))
    rounded = factors("float16", rounded_words("float16", packed, packed))[..., 0]
    unpacked = factors("float16", halves.view(np.uint32))
    assert halves.shape == (2, 4, 4, 4)  # 32 k, eight of them in four words
    for k, o in product(range(24), range(4)):
        row, k_of_row = divmod(k, 8)
        half, word = divmod(k_of_row, 4)
        np.testing.assert_array_equal(unpacked[:, row, o, word, half], rounded[:, k, o])
