"""The operators. A new one is one line here and one file beside this one."""

from __future__ import annotations

from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.input import Input
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

_OPERATORS: tuple[type[Op], ...] = (
    Input,
    Conv,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    Subsample,
    Lrn,
    Activation,
    Dropout,
    Flatten,
    Dense,
    Rbf,
    Add,
    Mul,
    Concat,
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Prelu,
    Depthwise,
    Separable,
    ConvTranspose,
    LpPool,
    Pad,
    Slice,
    Shuffle,
    Reshape,
    Resize,
)

OPERATORS: dict[str, type[Op]] = {op.row_type: op for op in _OPERATORS}
"""Each operator by its row type."""
