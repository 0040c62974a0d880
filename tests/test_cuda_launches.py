"""Launches: grids and blocks that a GPU takes, addresses inside their memory, enough threads."""

from math import prod
from textwrap import dedent
from typing import get_type_hints

import numpy as np
import pytest
from cuda_steps import step_of
from graph_strategies import graphs, weights_of
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES
from test_cpu_operators import NOT_COMPUTED

import cnndsl
from cnndsl.backends.cuda.backend import CudaBackend, lower_plan
from cnndsl.backends.cuda.emit import step_launches
from cnndsl.backends.cuda.gpu import (
    ARCHITECTURES,
    LARGEST_BLOCK,
    LARGEST_GRID,
    SIMULATED_GPU,
    Gpu,
    assumed_gpu,
)
from cnndsl.backends.cuda.launch import Address, lanes_for, over_cells
from cnndsl.backends.cuda.lowering.lower import lower_step
from cnndsl.backends.cuda.lowering.shared import width_of
from cnndsl.backends.cuda.program import LARGEST_COUNT, Program, largest_batch, make_program
from cnndsl.compiler import Compilation
from cnndsl.ir.node import Node
from cnndsl.passes.pipeline import optimised
from cnndsl.plan.build import make_plan
from cnndsl.plan.plan import Buffer

GPUS = [SIMULATED_GPU, *map(assumed_gpu, ARCHITECTURES)]
gpus = st.sampled_from(GPUS)


def check_launches(program):
    """Every launch fits, and starts inside the memory that it is given."""
    floats = {"arena": program.arena, "scratch": program.scratch}
    for launch in program.launches:
        assert all(1 <= n <= most for n, most in zip(launch.grid, LARGEST_GRID, strict=True))
        assert min(launch.block) >= 1
        assert launch.threads <= LARGEST_BLOCK
        assert launch.scratch <= program.scratch
        # The driver is told a number's type by its value; the kernel's is the field's.
        kinds = get_type_hints(type(launch.shape)).values()
        assert all(type(n) is kind for n, kind in zip(launch.shape, kinds, strict=True))
        assert all(abs(n) <= LARGEST_COUNT for n in launch.shape if isinstance(n, int))
        for argument in launch.arguments:
            if isinstance(argument, Address):
                place, port = argument.region
                sizes = {"input": program.inputs, "output": program.outputs}
                size = sizes[place][port] if place in sizes else floats[place]
                assert 0 <= argument.offset < size
            else:
                assert argument.array.dtype in (np.float32, np.int32)


@given(graph=graphs(), batch=st.sampled_from([1, 2, 3, 17, 128, 1000]), gpu=gpus)
def test_any_graph_becomes_launches_that_fit(graph, batch, gpu):
    weights = {name: a.astype(np.float32) for name, a in weights_of(graph, 0).items()}
    backend = CudaBackend()
    plan = make_plan(optimised(graph, backend.passes()), backend.choose)
    check_launches(make_program(plan, lower_plan(plan, weights, gpu), batch))


@pytest.mark.parametrize("spec", ["lenet5", "resnet18", "mobilenet_v2", "squeezenet1_1", "unet"])
def test_shipped_networks_become_launches_that_fit(spec):
    plan = Compilation(cnndsl.parse(spec), "cuda").plan
    for step in plan.steps:
        for batch in (1, 16):
            for launch in step_launches(step, batch):
                assert all(n <= most for n, most in zip(launch.grid, LARGEST_GRID, strict=True))
                assert launch.threads <= LARGEST_BLOCK
    assert largest_batch(plan) >= 16


@given(cells=st.integers(1, LARGEST_COUNT), gpu=gpus)
def test_threads_that_walk_over_cells_meet_all_of_them(cells, gpu):
    grid, block = over_cells(cells, gpu)
    threads = prod(grid) * prod(block)
    # A thread begins at its number and goes on by as many as there are threads.
    assert threads >= min(cells, gpu.processors * gpu.blocks * gpu.threads)
    assert prod(grid) <= max(1, gpu.processors * gpu.blocks)
    assert prod(grid) * gpu.threads < cells + gpu.threads


def test_four_neighbours_are_taken_where_runs_and_starts_divide_by_four():
    def at(offset):
        return Buffer("x", (2, 2, 8), "arena", offset)

    assert width_of(8, at(0), at(32)) == 4
    assert width_of(6, at(0), at(32)) == 1
    assert width_of(8, at(0), at(34)) == 1


@given(length=st.integers(1, 10**6), gpu=gpus)
def test_lanes_are_a_power_of_two_and_none_is_idle(length, gpu):
    lanes = lanes_for(length, gpu)
    assert lanes & (lanes - 1) == 0
    assert 1 <= lanes <= min(length, gpu.threads)


@pytest.mark.parametrize("row_type", sorted(set(CASES) - set(NOT_COMPUTED)))
@given(data=st.data())
def test_every_operator_has_a_kernel(row_type, data):
    op, types = data.draw(CASES[row_type])
    node = Node("y", op, tuple(f"x{i}" for i in range(len(types))), "R")
    assert CudaBackend().choose(node, types).kernel
    operands = [np.zeros((1, *t.shape), np.float32) for t in types]
    step = step_of(op, operands)
    if step.kernel == "view":
        return
    params = {p.name: np.ones(p.shape, np.float32) for p in op.params(*types)}
    arena = step.y.offset + prod(step.y.shape)
    launches = [
        launch for work in lower_step(step, params, assumed_gpu((9, 0))) for launch in work(3)
    ]
    scratch = max(launch.scratch for launch in launches)
    check_launches(Program(3, tuple(launches), (), (), 3 * arena, scratch))


def test_batches_that_kernels_cannot_count_are_split():
    plan = Compilation(cnndsl.parse("vgg16"), "cuda").plan
    most = largest_batch(plan)
    assert (
        most * plan.arena
        <= LARGEST_COUNT
        < (most + 1)
        * max(plan.arena, *(prod(b.shape) for step in plan.steps for b in (*step.x, step.y)))
    )


def test_a_gpu_with_fewer_processors_gets_fewer_blocks():
    small, large = (Gpu("", (8, 0), n, 0) for n in (10, 100))
    assert over_cells(10**7, small)[0][0] == over_cells(10**7, large)[0][0] // 10


def test_the_maps_and_pixels_of_a_very_large_image_are_exchanged_by_launches_that_fit():
    # A plan turns an image that is read as [map, row, column].
    table = """
        cnn 1
        network Large

        layer  type     maps  size       kernel  stride  padding  activation
        In     input    2     4096x2048  -       -       -        -           layout=nchw
        S1     maxpool  2     4096x2048  1x1     1       valid    -
    """
    plan = Compilation(cnndsl.parse(text=dedent(table).strip() + "\n"), "cuda").plan
    program = make_program(plan, lower_plan(plan, {}, assumed_gpu((9, 0))), 3)
    assert any(launch.kernel.function == "transpose_kernel" for launch in program.launches)
    check_launches(program)
