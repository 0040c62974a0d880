"""From a plan's steps to kernel calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.combine import lower_add, lower_multiply
from cnndsl.backends.cpu.lowering.conv import ALGORITHMS, lower_conv
from cnndsl.backends.cpu.lowering.copy import lower_copy, lower_permute, lower_zero_halo
from cnndsl.backends.cpu.lowering.dense import lower_dense
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
from cnndsl.ops.activation import Activation
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.pool import Pool
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.window import Window
from cnndsl.plan.plan import COPY, ZERO_HALO, Buffer, Step

Params = Mapping[str, NDArray[np.float32]]
"""The parameters of one row by their short names: weight, bias."""


def lower_step(step: Step, params: Params) -> list[Lowered]:
    """The kernel calls of a step in order, its weights packed."""
    several = _OF_SEVERAL_CALLS.get(step.kernel)
    return several(step) if several else [_LOWERINGS[step.kernel](step, params)]


def _conv(step: Step, params: Params) -> Lowered:
    (x,) = step.x
    conv = step.op.as_conv(x.image[2]) if isinstance(step.op, Depthwise) else step.op
    assert isinstance(conv, Conv)
    weight, bias = params["weight"], params.get("bias")
    return lower_conv(step.kernel, conv, x, step.y, _epilogue(step), weight, bias)


def _dense(step: Step, params: Params) -> Lowered:
    if not isinstance(step.op, Dense):
        return _conv(step, params)
    return lower_dense(step.x[0], step.y, _epilogue(step), params["weight"], params.get("bias"))


def _max_pool(step: Step, params: Params) -> Lowered:
    return lower_max_pool(_window(step), step.x[0], step.y, _epilogue(step))


def _avg_pool(step: Step, params: Params) -> Lowered:
    padded = isinstance(step.op, AvgPool) and step.op.divisor == "padded"
    return lower_avg_pool(_window(step), step.x[0], step.y, _epilogue(step), padded=padded)


def _subsample(step: Step, params: Params) -> Lowered:
    weight, bias = params["weight"], params["bias"]
    return lower_subsample(_window(step), step.x[0], step.y, _epilogue(step), weight, bias)


def _window(step: Step) -> Window:
    """A pool's window; a global pool's is the whole image."""
    if isinstance(step.op, Pool):
        return step.op.window
    height, width, _ = step.x[0].image
    return whole_image((height, width))


def _lrn(step: Step, params: Params) -> Lowered:
    assert isinstance(step.op, Lrn)
    op = step.op
    return lower_lrn(op.neighbours(), op.k, op.beta, step.x[0], step.y, _epilogue(step))


def _rbf(step: Step, params: Params) -> Lowered:
    euclidean = isinstance(step.op, Rbf) and step.op.distance == "euclidean"
    weight = params["weight"]
    return lower_rbf(weight, step.x[0], step.y, _epilogue(step), euclidean=euclidean)


def _softmax(step: Step, params: Params) -> Lowered:
    return lower_softmax(step.x[0], step.y)


def _log_softmax(step: Step, params: Params) -> Lowered:
    return lower_log_softmax(step.x[0], step.y)


def _elementwise(step: Step, params: Params) -> Lowered:
    function = step.op.activation if isinstance(step.op, Activation) else "linear"
    return lower_copy(step.x[0], step.y, Epilogue.of(function))


def _copy(step: Step, params: Params) -> Lowered:
    x, y = step.x[0], step.y
    if x.layout == y.layout == "nhwc":
        return lower_copy(x, y, Epilogue())
    return lower_permute(x, y)


def _zero_halo(step: Step, params: Params) -> Lowered:
    return lower_zero_halo(step.y)


def _add(step: Step) -> list[Lowered]:
    return _from_left_to_right(step, lower_add)


def _multiply(step: Step) -> list[Lowered]:
    return _from_left_to_right(step, lower_multiply)


def _from_left_to_right(
    step: Step, lower: Callable[[Buffer, Buffer, Buffer, Epilogue], Lowered]
) -> list[Lowered]:
    """Two operands into y, then each further one with y; the epilogue comes last."""
    first, *others = step.x
    *others, last = others
    lowered: list[Lowered] = []
    for other in others:
        lowered.append(lower(first, other, step.y, Epilogue()))
        first = step.y
    return [*lowered, lower(first, last, step.y, _epilogue(step))]


def _concat(step: Step) -> list[Lowered]:
    """Each operand to its own place in y."""
    assert isinstance(step.op, Concat)
    y = step.y
    stride, side = {
        "height": (y.row_stride, 0),
        "width": (y.pixel_stride, 1),
        "maps": (y.map_stride, 2),
    }[step.op.axis]
    lowered: list[Lowered] = []
    before = 0
    for x in step.x:
        lowered.append(lower_copy(x, y, _epilogue(step), before * stride))
        before += x.image[side]
    return lowered


def _epilogue(step: Step) -> Epilogue:
    """What is fused into a step: at most one activation function."""
    for op in step.epilogue:
        assert isinstance(op, Activation)
        return Epilogue.of(op.activation)
    return Epilogue()


_LOWERINGS: dict[str, Callable[[Step, Params], Lowered]] = {
    **dict.fromkeys(ALGORITHMS, _conv),
    "dense": _dense,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "subsample": _subsample,
    "lrn": _lrn,
    "rbf": _rbf,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "elementwise": _elementwise,
    COPY: _copy,
    ZERO_HALO: _zero_halo,
}

_OF_SEVERAL_CALLS: dict[str, Callable[[Step], list[Lowered]]] = {
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
}
