"""From a step of a plan to kernel launches."""

from __future__ import annotations

from importlib import import_module

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.launch import Lowered
from cnndsl.backends.cuda.lowering.shared import Lowering, Params, plain_name
from cnndsl.plan.plan import Step

_FAMILIES = {
    "convolutions": "conv dense conv_depthwise conv_transpose",
    "pools": "max_pool avg_pool lp_pool subsample global_max_pool global_avg_pool",
    "cells": "elementwise affine prelu add multiply",
    "normalisations": "lrn softmax log_softmax normalise_lines normalise_groups rbf",
    "moves": "concat move copy constant",
}
_FAMILY_OF = {kernel: family for family, kernels in _FAMILIES.items() for kernel in kernels.split()}


def lower_step(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    """The kernel launches of a step in order, its weights packed."""
    # Imported when asked for: a small model starts faster without the families that it lacks.
    kernel = plain_name(step.kernel)
    family = import_module(f"cnndsl.backends.cuda.lowering.{_FAMILY_OF[kernel]}")
    lowerings: dict[str, Lowering] = family.LOWERINGS
    return lowerings[kernel](step, params, gpu)
