"""Convolutions, transposed ones and dense layers."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.conv import ALGORITHMS, as_conv, conv_params, lower_conv
from cnndsl.backends.cpu.lowering.dense import lower_dense
from cnndsl.backends.cpu.lowering.transposed import lower_conv_transpose
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.plan.plan import Step


def _conv(step: Step, params: Params) -> list[Lowered]:
    (x,) = step.x
    conv = as_conv(step.op, x.image[2])
    assert conv is not None
    weight, bias = conv_params(step.op, params)
    return [lower_conv(step.kernel, conv, x, step.y, epilogue_of(step), weight, bias)]


def _dense(step: Step, params: Params) -> list[Lowered]:
    if not isinstance(step.op, Dense):
        return _conv(step, params)
    return [lower_dense(step.x[0], step.y, epilogue_of(step), params["weight"], params.get("bias"))]


def _conv_transpose(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, ConvTranspose)
    weight, bias = params["weight"], params.get("bias")
    return lower_conv_transpose(step.op, step.x[0], step.y, epilogue_of(step), weight, bias)


LOWERINGS: dict[str, Lowering] = {
    **dict.fromkeys(ALGORITHMS, _conv),
    "dense": _dense,
    "conv_transpose": _conv_transpose,
}
