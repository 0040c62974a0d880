"""Normalizations that look at an image before they change it."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.lrn import lower_lrn
from cnndsl.backends.cpu.lowering.normalise import (
    Affine,
    lower_normalise_groups,
    lower_normalise_pixels,
)
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lrn import Lrn
from cnndsl.plan.plan import Step


def _normalise_pixels(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, LayerNorm)
    affine = Affine(params.get("weight"), params.get("bias"))
    return [lower_normalise_pixels(step.op.epsilon, affine, step.x[0], step.y, epilogue_of(step))]


def _normalise_groups(step: Step, params: Params) -> list[Lowered]:
    op, x = step.op, step.x[0]
    assert isinstance(op, GroupNorm | InstanceNorm | LayerNorm)
    affine = Affine(params.get("weight"), params.get("bias"))
    groups = op.groups if isinstance(op, GroupNorm) else 1
    groups = x.image[2] if isinstance(op, InstanceNorm) else groups
    return [lower_normalise_groups(groups, op.epsilon, affine, x, step.y, epilogue_of(step))]


def _lrn(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, Lrn)
    op = step.op
    return [lower_lrn(op.neighbours(), op.k, op.beta, step.x[0], step.y, epilogue_of(step))]


LOWERINGS: dict[str, Lowering] = {
    "lrn": _lrn,
    "normalise_pixels": _normalise_pixels,
    "normalise_groups": _normalise_groups,
}
