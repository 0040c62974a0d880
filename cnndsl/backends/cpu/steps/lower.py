"""From a step of a plan to kernel calls."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.steps.shared import Lowering, Params, functions_of
from cnndsl.ops.base import Op
from cnndsl.plan.plan import Step

_FAMILIES = {
    "convolutions": "dense dense_images conv_direct conv_planar conv_depthwise rbf "
    "conv_winograd conv_winograd_half",
    "narrow": "dense_bfloat16 dense_int8",
    "transposed": "conv_transpose",
    "pools": "max_pool avg_pool subsample lp_pool",
    "cells": "elementwise softmax log_softmax affine prelu add multiply concat",
    "normalisations": "lrn normalise_pixels normalise_groups",
    "moves": "move",
    "copies": "copy zero_halo constant",
}
_FAMILY_OF = {kernel: family for family, kernels in _FAMILIES.items() for kernel in kernels.split()}


def lower_step(step: Step, params: Params) -> list[Lowered]:
    """The kernel calls of a step in order, its weights packed."""
    own = len(step.operands)
    if step.accumulates:
        return _lowering(step.kernel)(replace(step, x=step.x[:own]), params)
    first, *added = _at_sums(step.epilogue)
    lowered = _lowering(step.kernel)(replace(step, x=step.x[:own], epilogue=first), params)
    if added:
        from cnndsl.backends.cpu.lowering.combine import lower_add

        for functions, other in zip(added, step.x[own:], strict=True):
            lowered.append(lower_add(step.y, other, step.y, functions_of(functions)))
    return lowered


def _lowering(kernel: str) -> Lowering:
    # Imported when asked for: a small model starts faster without the families that it lacks.
    name, _, _ = kernel.partition(":")  # which way it goes is for the family to know
    family = import_module(f"cnndsl.backends.cpu.steps.{_FAMILY_OF[name]}")
    lowerings: dict[str, Lowering] = family.LOWERINGS
    return lowerings[name]


def _at_sums(epilogue: tuple[Op, ...]) -> list[tuple[Op, ...]]:
    """An epilogue's functions: those before its first sum, and those behind each of its sums."""
    parts: list[tuple[Op, ...]] = [()]
    for op in epilogue:
        if op.row_type == "add":
            parts.append(())
        else:
            parts[-1] = (*parts[-1], op)
    return parts
