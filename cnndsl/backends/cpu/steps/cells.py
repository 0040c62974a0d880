"""What looks at one cell, or at the cells of several operands in the same place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.combine import lower_add, lower_multiply
from cnndsl.backends.cpu.lowering.copy import lower_copy
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.moves import lower_concat
from cnndsl.backends.cpu.lowering.scale import lower_affine, lower_prelu
from cnndsl.backends.cpu.lowering.softmax import lower_log_softmax, lower_softmax
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.ops.activation import Activation
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.plan.plan import Buffer, Step


def _elementwise(step: Step, params: Params) -> list[Lowered]:
    function = step.op.activation if isinstance(step.op, Activation) else "linear"
    return [lower_copy(step.x[0], step.y, Epilogue.of(function))]


def _softmax(step: Step, params: Params) -> list[Lowered]:
    return [lower_softmax(step.x[0], step.y)]


def _log_softmax(step: Step, params: Params) -> list[Lowered]:
    return [lower_log_softmax(step.x[0], step.y)]


def _batch_norm(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, BatchNorm)
    numbers = {name: array.astype(np.float64) for name, array in params.items()}
    scale, shift = step.op.scale_and_shift(**numbers)
    return [lower_affine(scale, shift, step.x[0], step.y, epilogue_of(step))]


def _prelu(step: Step, params: Params) -> list[Lowered]:
    return [lower_prelu(params["weight"], step.x[0], step.y, epilogue_of(step))]


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
    return [*lowered, lower(first, last, step.y, epilogue_of(step))]


def _concat(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, Concat)
    return lower_concat(step.op, step.x, step.y, epilogue_of(step))


LOWERINGS: dict[str, Lowering] = {
    "elementwise": _elementwise,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "affine": _batch_norm,
    "prelu": _prelu,
    "add": _add,
    "multiply": _multiply,
    "concat": _concat,
}
