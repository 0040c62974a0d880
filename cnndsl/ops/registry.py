"""The operators. A new one is one line here and one file beside this one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from cnndsl.ops.base import Op

_HOMES = {
    "input": "input.Input",
    "constant": "constant.Constant",
    "conv": "conv.Conv",
    "maxpool": "max_pool.MaxPool",
    "avgpool": "avg_pool.AvgPool",
    "globalavgpool": "global_pool.GlobalAvgPool",
    "globalmaxpool": "global_pool.GlobalMaxPool",
    "subsample": "subsample.Subsample",
    "lrn": "lrn.Lrn",
    "activation": "activation.Activation",
    "dropout": "dropout.Dropout",
    "flatten": "flatten.Flatten",
    "dense": "dense.Dense",
    "rbf": "rbf.Rbf",
    "add": "add.Add",
    "mul": "mul.Mul",
    "concat": "concat.Concat",
    "batchnorm": "batch_norm.BatchNorm",
    "groupnorm": "group_norm.GroupNorm",
    "instancenorm": "instance_norm.InstanceNorm",
    "layernorm": "layer_norm.LayerNorm",
    "prelu": "prelu.Prelu",
    "depthwise": "depthwise.Depthwise",
    "separable": "separable.Separable",
    "convtranspose": "conv_transpose.ConvTranspose",
    "lppool": "lp_pool.LpPool",
    "pad": "pad.Pad",
    "slice": "slice.Slice",
    "shuffle": "shuffle.Shuffle",
    "reshape": "reshape.Reshape",
    "resize": "resize.Resize",
}


class _Registry(Mapping[str, type[Op]]):
    """Imports an operator when it is asked for: a small model need not wait for all of them."""

    def __getitem__(self, row_type: str) -> type[Op]:
        module, _, name = _HOMES[row_type].partition(".")
        return getattr(import_module(f"cnndsl.ops.{module}"), name)

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


OPERATORS: Mapping[str, type[Op]] = _Registry()
"""Each operator by its row type."""
