"""Pools."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.pool import (
    lower_avg_pool,
    lower_lp_pool,
    lower_max_pool,
    lower_subsample,
    whole_image,
)
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.pool import Pool
from cnndsl.ops.window import Window
from cnndsl.plan.plan import Step


def _max_pool(step: Step, params: Params) -> list[Lowered]:
    return [lower_max_pool(_window(step), step.x[0], step.y, epilogue_of(step))]


def _avg_pool(step: Step, params: Params) -> list[Lowered]:
    padded = isinstance(step.op, AvgPool) and step.op.divisor == "padded"
    return [lower_avg_pool(_window(step), step.x[0], step.y, epilogue_of(step), padded=padded)]


def _subsample(step: Step, params: Params) -> list[Lowered]:
    weight, bias = params["weight"], params["bias"]
    return [lower_subsample(_window(step), step.x[0], step.y, epilogue_of(step), weight, bias)]


def _lp_pool(step: Step, params: Params) -> list[Lowered]:
    assert isinstance(step.op, LpPool)
    return [lower_lp_pool(_window(step), step.op.p, step.x[0], step.y, epilogue_of(step))]


def _window(step: Step) -> Window:
    """A pool's window; a global pool's is the whole image."""
    if isinstance(step.op, Pool):
        return step.op.window
    height, width, _ = step.x[0].image
    return whole_image((height, width))


LOWERINGS: dict[str, Lowering] = {
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "subsample": _subsample,
    "lp_pool": _lp_pool,
}
