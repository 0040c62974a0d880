"""Which kernel runs a node, and what it asks of its operand's memory."""

from __future__ import annotations

from cnndsl.backends.usual import usual_choice
from cnndsl.ir.node import Node
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.separable import Separable
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
        case LayerNorm() as norm if not (norm.over == "image" and operands[0].is_image):
            return Choice("normalise_lines", in_place=True)
        case Reshape(order="hwc"):
            return Choice("view", view=True)
        case Rbf():
            return Choice("rbf")
        case _:
            return usual_choice("cuda", node, operands)
