"""Which kernel runs a node, and what it asks of its operand's memory."""

from __future__ import annotations

from cnndsl.errors import TargetError
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.mul import Mul
from cnndsl.ops.pad import Pad
from cnndsl.ops.prelu import Prelu
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.separable import Separable
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.ops.subsample import Subsample
from cnndsl.plan.strategy import Choice
from cnndsl.types import Precision, TensorType


def choose(
    node: Node, operands: tuple[TensorType, ...], precision: Precision = "float32"
) -> Choice:
    """
    How to run a node. Raises `TargetError` for an operator without a kernel.

    Products are computed in `precision`, which then is a part of the kernel's name.

    No kernel asks for a halo, so values are dense: a kernel tests bounds, which costs less here
    than memory does, and a reshape in the order of memory is a view.
    """
    rounded = "" if precision == "float32" else f"_{precision}"
    match node.op:
        case Conv() as op if op.groups == op.maps == operands[0].maps:
            return Choice("conv_depthwise")
        case Depthwise():
            return Choice("conv_depthwise")
        case Conv() | Separable():
            return Choice(f"conv{rounded}")
        case ConvTranspose():
            return Choice(f"conv_transpose{rounded}")
        case Dense():
            return Choice(f"dense{rounded}")
        case MaxPool():
            return Choice("max_pool")
        case AvgPool():
            return Choice("avg_pool")
        case GlobalMaxPool():
            return Choice("global_max_pool")
        case GlobalAvgPool():
            return Choice("global_avg_pool")
        case Subsample():
            return Choice("subsample")
        case LpPool():
            return Choice("lp_pool")
        case BatchNorm():
            return Choice("affine", in_place=True)
        case Prelu():
            return Choice("prelu", in_place=True)
        case LayerNorm(over="image") if operands[0].is_image:
            return Choice("normalise_groups", in_place=True)
        case LayerNorm():
            return Choice("normalise_lines", in_place=True)
        case GroupNorm() | InstanceNorm():
            return Choice("normalise_groups", in_place=True)
        case Reshape(order="hwc"):
            return Choice("view", view=True)
        case Pad() | Slice() | Shuffle() | Reshape() | Resize():
            return Choice("move")
        case Lrn():
            return Choice("lrn")
        case Rbf():
            return Choice("rbf")
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
                f"the target cuda has no kernel for {op.row_type}", span=node.span, row=node.row
            )
