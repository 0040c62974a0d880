"""How the CUDA target fills a GPU by its own estimate: blocks, rounds, and bytes on their way."""

from dataclasses import replace
from functools import cache
from math import ceil, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cuda_geometry import GPUS, H100, all_tiles, convolutions, precisions

import cnndsl
from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.depthwise import choose_depthwise
from cnndsl.backends.cuda.emit import step_launches
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.tile_cost import launch_cycles, split_cycles, unit_cycles
from cnndsl.backends.cuda.tiles import TileLaunch, choose_tile, tile_kernel, tiles
from cnndsl.backends.cuda.vectors import as_dense, choose_vectors
from cnndsl.compiler import Compilation
from cnndsl.types import Options

PROCESSOR_BYTES = {(7, 5): 64 << 10, (8, 0): 164 << 10, (9, 0): 228 << 10}
PROCESSOR_THREADS = {(7, 5): 1024, (8, 0): 2048, (9, 0): 2048}
PROCESSOR_BLOCKS = {(7, 5): 16, (8, 0): 32, (9, 0): 32}
"""CUDA C++ Programming Guide, technical specifications by compute capability."""


def test_a_warp_s_share_is_wide_where_that_keeps_no_unit_busier():
    # Each warp rounds for itself what it reads of the left factor.
    cores = [tiles(H100, precision, 4) for precision in ("tf32", "float16", "bfloat16")]
    for same_shape in zip(*cores, strict=True):
        busier: list[bool] = []
        for tile in same_shape:
            wide = tile._replace(
                thread_rows=tile.thread_rows // 2, thread_columns=2 * tile.thread_columns
            )
            if wide.thread_rows and wide.is_even:
                found, other = unit_cycles(tile, H100), unit_cycles(wide, H100)
                busier.append(any(other[unit] > found[unit] for unit in found))
        assert any(busier) or not busier, same_shape[0]


@pytest.mark.parametrize("gpu", GPUS, ids=lambda gpu: gpu.name)
def test_as_many_blocks_as_are_called_resident_fit_a_processor(gpu):
    keeps = 1024 if gpu.architecture >= (8, 0) else 0
    for precision in precisions(gpu):
        for tile in tiles(gpu, precision, 4):
            blocks = tile.resident
            assert 1 <= blocks <= PROCESSOR_BLOCKS[gpu.architecture]
            assert blocks * (tile.shared_bytes + keeps) <= PROCESSOR_BYTES[gpu.architecture]
            assert blocks * tile.threads <= PROCESSOR_THREADS[gpu.architecture]
            assert tile_kernel(tile, "relu").bounds == (tile.threads, blocks)


@given(
    tile=st.sampled_from(all_tiles(GPUS)),
    gpu=st.sampled_from([*GPUS, H100]),
    blocks=st.integers(1, 5000),
    steps=st.integers(1, 300),
)
def test_more_work_takes_longer_and_more_processors_do_it_sooner(tile, gpu, blocks, steps):
    cycles = launch_cycles(tile, gpu, blocks, steps)
    assert launch_cycles(tile, gpu, blocks, steps + 1) > cycles
    assert launch_cycles(tile, gpu, blocks + gpu.processors, steps) > cycles
    assert launch_cycles(tile, replace(gpu, processors=2 * gpu.processors), blocks, steps) <= cycles
    # What one processor's units have to do is never done sooner.
    each = ceil(blocks / gpu.processors)
    assert cycles > each * steps * max(unit_cycles(tile, gpu).values())


def test_a_last_round_of_few_blocks_costs_what_they_cost_alone():
    tile = tiles(H100, "float32", 4)[2]
    full = launch_cycles(tile, H100, tile.resident * H100.processors, 100)
    one_more = launch_cycles(tile, H100, tile.resident * H100.processors + 1, 100)
    assert one_more - full == launch_cycles(tile, H100, 1, 100)


def test_blocks_that_share_a_processor_cover_each_others_waits():
    alone = tiles(H100, "float32", 4)[-1]._replace(resident=1)
    shared = alone._replace(resident=8)
    assert launch_cycles(shared, H100, 8 * 132, 50) < launch_cycles(alone, H100, 8 * 132, 50) / 2


@settings(deadline=None)
@given(c=convolutions(), gpu=st.sampled_from([*GPUS, H100]))
def test_no_other_tile_and_no_other_split_is_cheaper_by_the_estimate(c, gpu):
    chosen = choose_tile(c, gpu)
    assert chosen == choose_tile(c, gpu)
    for tile in tiles(gpu, "float32", chosen.tile.vector):
        assert chosen.cycles(gpu) <= TileLaunch(c, tile).cycles(gpu)
    if chosen.splits > 1:
        sums = split_cycles(gpu, chosen.splits, c.rows * c.out_maps)
        assert chosen.cycles(gpu) > sums


# ---- the networks that the GPU is to be fast on

CASES = [
    ("alexnet", 1, "float32"),
    ("alexnet", 128, "float32"),
    ("alexnet", 128, "tf32"),
    ("resnet50", 16, "float32"),
    ("resnet50", 16, "tf32"),
    ("fashion_mnist", 1, "float32"),
]


@cache
def launches_of(name, batch, precision):
    plan = Compilation(cnndsl.parse(name), "cuda", options=Options(precision=precision)).plan
    return [launch for step in plan.steps for launch in step_launches(step, batch, H100)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_rows_with_much_to_multiply_have_blocks_for_most_processors(case):
    for launch in launches_of(*case):
        if launch.kernel.module == "conv_tile":
            shape = launch.shape
            reduction = shape.kernel_height * shape.kernel_width * shape.group_in
            if shape.rows * shape.group_out * shape.groups * reduction >= 50e6:
                assert prod(launch.grid) >= 0.7 * H100.processors


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_sums_of_splits_stay_in_the_second_cache_or_are_few_beside_the_products(case):
    cache_bytes = 50e6  # an H100's
    for launch in launches_of(*case):
        if launch.kernel.module == "conv_tile" and launch.scratch:
            tile, shape = Tile(*launch.kernel.parameters[0]), launch.shape
            cycles = launch_cycles(tile, H100, prod(launch.grid), shape.steps)
            splits = launch.grid[2] // shape.groups
            adding = split_cycles(H100, splits, launch.scratch // splits)
            assert 4 * launch.scratch <= cache_bytes or adding <= cycles / 5


# ---- dense layers of one image


@pytest.mark.parametrize(("inputs", "outputs"), [(9216, 4096), (4096, 4096), (4096, 1000)])
def test_weights_of_one_image_are_asked_for_as_fast_as_memory_can_give_them(inputs, outputs):
    one = (1, 1)
    strides = Strides.dense(one, inputs), Strides.dense(one, outputs)
    launch = choose_vectors(Convolution(1, one, one, inputs, outputs, *strides), H100)
    # Little's law: 3.35 TB/s for 600 ns of waiting, shared by all processors.
    needed = 3.35e12 * 600e-9 / H100.processors
    warps = launch.tile.threads // 32
    resident = min(prod(launch.grid) // H100.processors, 2048 // launch.tile.threads)
    # Each lane asks for a quad of four outputs before it multiplies any.
    assert resident * warps * 4 * 512 >= needed


def test_a_convolution_over_the_whole_image_is_a_dense_layer():
    launches = launches_of("lenet5", 1, "float32")
    assert [n.kernel.module for n in launches].count("dense_vector") == 2  # C5 and F6
    assert not any(n.scratch for n in launches)
    size, x, y = (5, 5), Strides.dense((5, 5), 16), Strides.dense((1, 1), 120)
    c = Convolution(1, size, (1, 1), 16, 120, x, y, size)
    assert as_dense(c) is not None
    assert as_dense(replace(c, x=Strides(480, 96, 16))) is None  # its rows have gaps
    assert as_dense(replace(c, kernel=(3, 5))) is None
    assert as_dense(replace(c, padding=(1, 0))) is None


def test_small_convolutions_are_a_threads_and_large_ones_a_tiles():
    size, strides = (10, 10), (Strides.dense((14, 14), 6), Strides.dense((10, 10), 16))
    c = Convolution(1, (14, 14), size, 6, 16, *strides, (5, 5))
    assert choose_depthwise(c, H100).cycles(H100) < choose_tile(c, H100).cycles(H100)
    many = replace(c, images=4096)
    assert choose_depthwise(many, H100).cycles(H100) > choose_tile(many, H100).cycles(H100)
