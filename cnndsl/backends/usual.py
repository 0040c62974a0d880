"""The algorithms that targets call alike: one for an operator, asking nothing of its operand."""

from __future__ import annotations

from cnndsl.errors import TargetError
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.constant import Constant
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.mul import Mul
from cnndsl.ops.pad import Pad
from cnndsl.ops.prelu import Prelu
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.ops.subsample import Subsample
from cnndsl.plan.strategy import Choice
from cnndsl.types import TensorType


def usual_choice(target: str, node: Node, operands: tuple[TensorType, ...]) -> Choice:
    """
    How a target runs a node of which its own strategy says nothing.

    Raises `TargetError` for an operator without a kernel.
    """
    match node.op:
        case Constant():
            return Choice("constant")
        case Subsample():
            return Choice("subsample")
        case LpPool():
            return Choice("lp_pool")
        case BatchNorm():
            return Choice("affine", in_place=True)
        case Prelu():
            return Choice("prelu", in_place=True)
        case LayerNorm(over="image"):
            return Choice("normalise_groups", in_place=True)
        case GroupNorm() | InstanceNorm():
            return Choice("normalise_groups", in_place=True)
        case Pad() | Slice() | Shuffle() | Reshape() | Resize():
            return Choice("move")
        case Lrn():
            return Choice("lrn")
        case Activation(activation="softmax" | "log_softmax" as name):
            return Choice(name, in_place=True)
        case Activation() | Dropout():
            return Choice("elementwise", in_place=True)
        case Add():
            return Choice("add", in_place=True)
        case Mul() as mul:
            return Choice("multiply", in_place=operands[0] == mul.infer(*operands))
        case Concat():
            return Choice("concat")
        case op:
            raise TargetError(
                f"the target {target} has no kernel for {op.row_type}", span=node.span, row=node.row
            )
