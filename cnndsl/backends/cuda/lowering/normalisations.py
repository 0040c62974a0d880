"""Normalizations that look at cells before they change them, softmax among them; distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Constant, Launch, Lowered, lanes_for, start_of
from cnndsl.backends.cuda.lowering.shared import CellKernel, Lowering, Params, epilogue_of
from cnndsl.backends.cuda.shapes.epilogue import Epilogue
from cnndsl.backends.cuda.shapes.normalise import GroupsShape, LinesShape, LrnShape
from cnndsl.backends.cuda.shapes.rbf import RbfShape
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.rbf import Rbf
from cnndsl.plan.plan import Step


def _lrn(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, Lrn)
    op, epilogue = step.op, epilogue_of(step)
    near, maps = op.neighbours(), step.x[0].image[2]

    def shape(cells: int) -> LrnShape:
        window = near.lower, near.upper, near.scale, op.k
        return LrnShape(cells, maps, *window, epilogue.alpha, epilogue.beta)

    kernel = CellKernel("lrn", "lrn_kernel", shape, (float(op.beta),))
    return [kernel.lowered(gpu, (step.x[0],), step.y, epilogue)]


def _softmax(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return [_lower_lines(step, gpu, "softmax", f"{step.kernel}_kernel")]


def _normalise_lines(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, LayerNorm)
    factors = _factors(params, step.x[0].image[2])
    epilogue, epsilon = epilogue_of(step), step.op.epsilon
    function = "normalise_lines_kernel"
    return [_lower_lines(step, gpu, "normalise", function, epilogue, factors, epsilon)]


def _lower_lines(
    step: Step,
    gpu: Gpu,
    module: str,
    function: str,
    epilogue: Epilogue | None = None,
    factors: tuple[Constant, ...] = (),
    epsilon: float = 0.0,
) -> Lowered:
    """A kernel in which some threads of a block share the maps of each pixel."""
    (x, *_), y = step.x, step.y
    height, width, maps = x.image
    lanes = lanes_for(maps, gpu)
    lines = gpu.threads // lanes
    activation, numbers = (), (0.0, 0.0)
    if epilogue is not None:
        activation, numbers = (epilogue.activation,), (epilogue.alpha, epilogue.beta)
    kernel = Kernel(module, function, (lanes, lines, *activation))

    def launches(batch: int) -> list[Launch]:
        pixels = batch * height * width
        arguments = start_of(x, batch), *factors, start_of(y, batch)
        shape = LinesShape(pixels, maps, epsilon, *numbers)
        return [Launch(kernel, (-(-pixels // lines), 1, 1), (lanes, lines, 1), arguments, shape)]

    return launches


def _normalise_groups(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    op, (x, *_), y, epilogue = step.op, step.x, step.y, epilogue_of(step)
    assert isinstance(op, GroupNorm | InstanceNorm | LayerNorm)
    height, width, maps = x.image
    groups = op.groups if isinstance(op, GroupNorm) else 1
    groups = maps if isinstance(op, InstanceNorm) else groups
    each_cell = isinstance(op, LayerNorm)
    factors = _factors(params, height * width * maps if each_cell else maps)
    lanes = lanes_for(height * width * (maps // groups), gpu)
    kernel = Kernel("normalise", "normalise_groups_kernel", (lanes, epilogue.activation))
    sizes = height * width, groups, maps // groups, maps if each_cell else 0
    shape = GroupsShape(*sizes, op.epsilon, epilogue.alpha, epilogue.beta)

    def launches(batch: int) -> list[Launch]:
        arguments = start_of(x, batch), *factors, start_of(y, batch)
        return [Launch(kernel, (groups, batch, 1), (lanes, 1, 1), arguments, shape)]

    return [launches]


def _factors(params: Params, count: int) -> tuple[Constant, Constant]:
    """The weight and the bias behind a normalization; without one, ones or zeros."""

    def factor(name: str, otherwise: float) -> NDArray[np.float32]:
        given = params.get(name)
        if given is None:
            return np.full(count, otherwise, np.float32)
        return np.ascontiguousarray(given).reshape(-1)

    return Constant(factor("weight", 1.0)), Constant(factor("bias", 0.0))


def _rbf(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, Rbf)
    (x, *_), y, epilogue = step.x, step.y, epilogue_of(step)
    weight = Constant(np.ascontiguousarray(params["weight"]))
    outputs, inputs = weight.array.shape
    lanes = lanes_for(inputs, gpu)
    root = 2.0 if step.op.distance == "euclidean" else 1.0
    kernel = Kernel("rbf", "rbf_kernel", (lanes, root, epilogue.activation))

    def launches(batch: int) -> list[Launch]:
        distances = batch * outputs
        grid = min(distances, gpu.processors * gpu.blocks), 1, 1
        arguments = start_of(x, batch), weight, start_of(y, batch)
        shape = RbfShape(distances, inputs, outputs, epilogue.alpha, epilogue.beta)
        return [Launch(kernel, grid, (lanes, 1, 1), arguments, shape)]

    return [launches]


LOWERINGS: dict[str, Lowering] = {
    "lrn": _lrn,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "normalise_lines": _normalise_lines,
    "normalise_groups": _normalise_groups,
    "rbf": _rbf,
}
