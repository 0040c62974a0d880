"""Which kernel runs a node, and what it asks of its operand's memory."""

from __future__ import annotations

from cnndsl.backends.cpu.lowering.conv import choose_conv
from cnndsl.errors import TargetError
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.mul import Mul
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.subsample import Subsample
from cnndsl.plan.strategy import Choice
from cnndsl.types import TensorType


def choose(node: Node, operands: tuple[TensorType, ...]) -> Choice:
    """How to run a node. Raises `TargetError` for an operator without a kernel."""
    match node.op:
        case Conv() as conv:
            return _choose_conv(conv, operands[0])
        case Depthwise() as depthwise:
            return _choose_conv(depthwise.as_conv(operands[0].maps), operands[0])
        case Dense():
            return Choice("dense", contiguous=True)
        case MaxPool() | GlobalMaxPool():
            return Choice("max_pool")
        case AvgPool() | GlobalAvgPool():
            return Choice("avg_pool")
        case Subsample():
            return Choice("subsample")
        case Lrn():
            return Choice("lrn")
        case Rbf():
            return Choice("rbf", contiguous=True)
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
                f"the target cpu has no kernel for {op.row_type}", span=node.span, row=node.row
            )


def _choose_conv(conv: Conv, x: TensorType) -> Choice:
    height, width = x.height_width
    return choose_conv(conv, (height, width, x.maps))
