"""From a plan and its weights to kernel calls whose weights are packed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from cnndsl.backends.cpu.helpers import processors
from cnndsl.backends.cpu.lowering.call import Field, Lowered
from cnndsl.backends.cpu.steps.lower import lower_step
from cnndsl.backends.cpu.steps.shared import Params
from cnndsl.backends.protocol import Request, Weights
from cnndsl.interop.pages import release
from cnndsl.ir.bind import bound_params, declared_params
from cnndsl.plan.plan import COPY, ZERO_HALO, Step


def lowered_steps(request: Request) -> Iterator[list[Lowered]]:
    """
    Each step's kernel calls, in order, while those of the next steps are being made.

    NumPy, which packs the weights, lets several threads do so side by side.
    """
    steps, threads = request.plan.steps, min(request.threads, processors())
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(partial(_lowered_step, weights=request.weights), steps)


def _lowered_step(step: Step, weights: Weights) -> list[Lowered]:
    """
    A step's kernel calls.

    Weights that it has packed into an order of its own need no memory beside that.
    """
    calls = lower_step(step, _params(step, weights))
    fields: list[Field] = [field for lowered in calls for field in lowered(1).fields]
    used = [field for field in fields if isinstance(field, np.ndarray)]
    for name in _param_names(step):
        array = weights[name]
        if not any(np.may_share_memory(array, other) for other in used):
            release(array)
    return calls


def _param_names(step: Step) -> Iterable[str]:
    """The full names of a step's parameters."""
    return () if step.kernel in (COPY, ZERO_HALO) else declared_params(step, step.operands)


def _params(step: Step, weights: Weights) -> Params:
    """What a step computes with, by short names; what only moves memory has no parameters."""
    if step.kernel in (COPY, ZERO_HALO):
        return {}
    return bound_params(step, step.operands, weights)
