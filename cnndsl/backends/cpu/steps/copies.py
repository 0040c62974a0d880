"""The planner's own steps, which copy between layouts and write halos, and constants."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.copy import (
    lower_constant,
    lower_copy,
    lower_permute,
    lower_zero_halo,
)
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.plan.plan import COPY, ZERO_HALO, Step


def _copy(step: Step, params: Params) -> list[Lowered]:
    x, y = step.x[0], step.y
    if x.layout == y.layout == "nhwc":
        return [lower_copy(x, y, Epilogue())]
    return [lower_permute(x, y)]


def _zero_halo(step: Step, params: Params) -> list[Lowered]:
    return [lower_zero_halo(step.y)]


def _constant(step: Step, params: Params) -> list[Lowered]:
    return [lower_constant(params["value"], step.y, epilogue_of(step))]


LOWERINGS: dict[str, Lowering] = {
    COPY: _copy,
    ZERO_HALO: _zero_halo,
    "constant": _constant,
}
