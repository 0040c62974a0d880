"""Transposed convolutions."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.transposed import lower_conv_transpose
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.plan.plan import Step


def _conv_transpose(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, ConvTranspose)
    weight, bias = params["weight"], params.get("bias")
    return lower_conv_transpose(step.op, step.x[0], step.y, epilogue_of(step), weight, bias)


LOWERINGS: dict[str, Lowering] = {
    "conv_transpose": _conv_transpose,
}
