"""What moves cells and computes nothing."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.moves import (
    lower_pad,
    lower_reshape,
    lower_resize,
    lower_shuffle,
    lower_slice,
)
from cnndsl.backends.cpu.steps.shared import Lowering, Params, epilogue_of
from cnndsl.ops.pad import Pad
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.plan.plan import Step


def _move(step: Step, params: Params) -> list[Lowered]:
    x, y, epilogue = step.x[0], step.y, epilogue_of(step)
    match step.op:
        case Pad() as op:
            return [lower_pad(op, x, y, epilogue)]
        case Slice() as op:
            return [lower_slice(op, x, y, epilogue)]
        case Shuffle() as op:
            return [lower_shuffle(op, x, y, epilogue)]
        case Reshape() as op:
            return [lower_reshape(op, x, y, epilogue)]
        case op:
            assert isinstance(op, Resize)
            return [lower_resize(op, x, y, epilogue)]


LOWERINGS: dict[str, Lowering] = {
    "move": _move,
}
