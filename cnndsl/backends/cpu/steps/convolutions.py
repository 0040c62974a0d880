"""Convolutions, dense layers and distances."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.conv import ALGORITHMS, DENSE, lower_conv
from cnndsl.backends.cpu.lowering.rbf import lower_rbf
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.backends.filters import as_conv, conv_params
from cnndsl.ops.dense import Dense
from cnndsl.ops.rbf import Rbf
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
    parts = step.x[0], step.y, epilogue_of(step), params["weight"], params.get("bias")
    return [DENSE[step.kernel](*parts)]


def _rbf(step: Step, params: Params) -> list[Lowered]:
    euclidean = isinstance(step.op, Rbf) and step.op.distance == "euclidean"
    weight = params["weight"]
    return [lower_rbf(weight, step.x[0], step.y, epilogue_of(step), euclidean=euclidean)]


LOWERINGS: dict[str, Lowering] = {
    **dict.fromkeys(ALGORITHMS, _conv),
    **dict.fromkeys(DENSE, _dense),
    "rbf": _rbf,
}
