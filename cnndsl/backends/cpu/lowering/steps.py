"""From a plan's steps to kernel calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.combine import lower_add, lower_multiply
from cnndsl.backends.cpu.lowering.conv import ALGORITHMS, as_conv, conv_params, lower_conv
from cnndsl.backends.cpu.lowering.copy import lower_copy, lower_permute, lower_zero_halo
from cnndsl.backends.cpu.lowering.dense import lower_dense
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.lrn import lower_lrn
from cnndsl.backends.cpu.lowering.moves import (
    lower_concat,
    lower_pad,
    lower_reshape,
    lower_resize,
    lower_shuffle,
    lower_slice,
)
from cnndsl.backends.cpu.lowering.normalise import (
    Affine,
    lower_normalise_groups,
    lower_normalise_pixels,
)
from cnndsl.backends.cpu.lowering.pool import (
    lower_avg_pool,
    lower_lp_pool,
    lower_max_pool,
    lower_subsample,
    whole_image,
)
from cnndsl.backends.cpu.lowering.rbf import lower_rbf
from cnndsl.backends.cpu.lowering.scale import lower_affine, lower_prelu
from cnndsl.backends.cpu.lowering.softmax import lower_log_softmax, lower_softmax
from cnndsl.backends.cpu.lowering.transposed import lower_conv_transpose
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.pad import Pad
from cnndsl.ops.pool import Pool
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.ops.window import Window
from cnndsl.plan.plan import COPY, ZERO_HALO, Buffer, Step

Params = Mapping[str, NDArray[np.float32]]
"""The parameters of one row by their short names: weight, bias."""


def lower_step(step: Step, params: Params) -> list[Lowered]:
    """The kernel calls of a step in order, its weights packed."""
    own = len(step.operands)
    first, *added = _at_sums(step.epilogue)
    itself = replace(step, x=step.x[:own], epilogue=first)
    several = _OF_SEVERAL_CALLS.get(step.kernel)
    if several is not None:
        lowered = several(itself, params)
    else:
        lowered = [_LOWERINGS[step.kernel](itself, params)]
    for functions, other in zip(added, step.x[own:], strict=True):
        lowered.append(lower_add(step.y, other, step.y, _functions(functions)))
    return lowered


def _at_sums(epilogue: tuple[Op, ...]) -> list[tuple[Op, ...]]:
    """An epilogue's functions: those before its first sum, and those behind each of its sums."""
    parts: list[tuple[Op, ...]] = [()]
    for op in epilogue:
        if isinstance(op, Add):
            parts.append(())
        else:
            parts[-1] = (*parts[-1], op)
    return parts


def _conv(step: Step, params: Params) -> Lowered:
    (x,) = step.x
    conv = as_conv(step.op, x.image[2])
    assert conv is not None
    weight, bias = conv_params(step.op, params)
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


def _lp_pool(step: Step, params: Params) -> Lowered:
    assert isinstance(step.op, LpPool)
    return lower_lp_pool(_window(step), step.op.p, step.x[0], step.y, _epilogue(step))


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


def _move(step: Step, params: Params) -> Lowered:
    x, y, epilogue = step.x[0], step.y, _epilogue(step)
    match step.op:
        case Pad() as op:
            return lower_pad(op, x, y, epilogue)
        case Slice() as op:
            return lower_slice(op, x, y, epilogue)
        case Shuffle() as op:
            return lower_shuffle(op, x, y, epilogue)
        case Reshape() as op:
            return lower_reshape(op, x, y, epilogue)
        case op:
            assert isinstance(op, Resize)
            return lower_resize(op, x, y, epilogue)


def _batch_norm(step: Step, params: Params) -> Lowered:
    assert isinstance(step.op, BatchNorm)
    numbers = {name: array.astype(np.float64) for name, array in params.items()}
    scale, shift = step.op.scale_and_shift(**numbers)
    return lower_affine(scale, shift, step.x[0], step.y, _epilogue(step))


def _prelu(step: Step, params: Params) -> Lowered:
    return lower_prelu(params["weight"], step.x[0], step.y, _epilogue(step))


def _normalise_pixels(step: Step, params: Params) -> Lowered:
    assert isinstance(step.op, LayerNorm)
    affine = Affine(params.get("weight"), params.get("bias"))
    return lower_normalise_pixels(step.op.epsilon, affine, step.x[0], step.y, _epilogue(step))


def _normalise_groups(step: Step, params: Params) -> Lowered:
    op, x = step.op, step.x[0]
    assert isinstance(op, GroupNorm | InstanceNorm | LayerNorm)
    affine = Affine(params.get("weight"), params.get("bias"))
    groups = op.groups if isinstance(op, GroupNorm) else 1
    groups = x.image[2] if isinstance(op, InstanceNorm) else groups
    return lower_normalise_groups(groups, op.epsilon, affine, x, step.y, _epilogue(step))


def _add(step: Step, params: Params) -> list[Lowered]:
    return _from_left_to_right(step, lower_add)


def _multiply(step: Step, params: Params) -> list[Lowered]:
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


def _concat(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, Concat)
    return lower_concat(step.op, step.x, step.y, _epilogue(step))


def _conv_transpose(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, ConvTranspose)
    weight, bias = params["weight"], params.get("bias")
    return lower_conv_transpose(step.op, step.x[0], step.y, _epilogue(step), weight, bias)


def _epilogue(step: Step) -> Epilogue:
    return _functions(step.epilogue)


def _functions(ops: tuple[Op, ...]) -> Epilogue:
    """What is fused into a call: at most one activation function."""
    for op in ops:
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
    "lp_pool": _lp_pool,
    "rbf": _rbf,
    "affine": _batch_norm,
    "prelu": _prelu,
    "normalise_pixels": _normalise_pixels,
    "normalise_groups": _normalise_groups,
    "move": _move,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "elementwise": _elementwise,
    COPY: _copy,
    ZERO_HALO: _zero_halo,
}

_OF_SEVERAL_CALLS: dict[str, Callable[[Step, Params], list[Lowered]]] = {
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
    "conv_transpose": _conv_transpose,
}
