"""What the families of steps have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.base import Op
from cnndsl.plan.plan import Step

Params = Mapping[str, NDArray[np.float32]]
"""The parameters of one row by their short names: weight, bias."""

Lowering = Callable[[Step, Params], list[Lowered]]
"""The kernel calls of a step, in order."""


def epilogue_of(step: Step) -> Epilogue:
    """What is fused into a step's last call."""
    return functions_of(step.epilogue)


def functions_of(ops: tuple[Op, ...]) -> Epilogue:
    """Functions as an epilogue: a call takes at most one, behind a sum with what y holds."""
    onto = bool(ops) and isinstance(ops[0], Add)
    for op in ops[onto:]:
        assert isinstance(op, Activation)
        return replace(Epilogue.of(op.activation), onto=onto)
    return Epilogue(onto=onto)
