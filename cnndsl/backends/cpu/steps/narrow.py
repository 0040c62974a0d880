"""Dense layers whose weights are kept in fewer bits."""

from __future__ import annotations

from functools import partial

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.dense_narrow import lower_dense_narrow
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.plan.plan import Step
from cnndsl.types import DenseWeights


def _dense(kept: DenseWeights, step: Step, params: Params) -> list[Lowered]:
    parts = step.x[0], step.y, epilogue_of(step), params["weight"], params.get("bias")
    return [lower_dense_narrow(kept, *parts)]


LOWERINGS: dict[str, Lowering] = {
    "dense_bfloat16": partial(_dense, "bfloat16"),
    "dense_int8": partial(_dense, "int8"),
}
