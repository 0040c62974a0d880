"""
A network of ours as a PyTorch module with the same weights.

The module is what a PyTorch user would have written: it reads `[n, maps, height, width]`, and where
our network flattens in the order height, width, maps, the columns of the dense weights behind it
are put into PyTorch's order, so that nothing is transposed while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.torch_modules import Deal, Fixed, HardSigmoid, Join, LastMaps, Part, Product, Sum
from cnndsl.errors import TargetError
from cnndsl.ir.cost import node_params
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.network import Network
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.constant import Constant
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.input import Input
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.mul import Mul
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.ops.window import Window
from cnndsl.passes.split_separable import SplitSeparable
from cnndsl.types import TensorType

Weights = Mapping[str, NDArray[np.float32]]
Filled = TypeVar("Filled", bound=nn.Module)


class Converted(nn.Module):
    """Layers by the names of our nodes, applied in the order of our graph."""

    def __init__(self, network: Network, weights: Weights) -> None:
        super().__init__()
        graph = SplitSeparable().run(network.ir)
        convert = _Converter(graph, weights)
        nodes = [node for node in graph.nodes if not isinstance(node.op, Input)]
        self.layers = nn.ModuleDict({_key(node.name): convert(node) for node in nodes})
        self.inputs = {node.name: node.inputs for node in nodes}
        self.entry, self.exit = graph.inputs[0].name, graph.outputs[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network's output."""
        values = {self.entry: x}
        for name, inputs in self.inputs.items():
            values[name] = self.layers[_key(name)](*(values[i] for i in inputs))
        return values[self.exit]


def to_torch(network: Network, weights: Weights) -> nn.Module:
    """The module, ready to infer. Raises `TargetError` for what has no counterpart here."""
    return Converted(network, weights).eval()


_ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "hard_sigmoid": HardSigmoid,
    "hard_swish": nn.Hardswish,
    "linear": nn.Identity,
    "softmax": lambda: nn.Softmax(1),
    "log_softmax": lambda: nn.LogSoftmax(1),
}


class _Converter:
    """From a node to a module, knowing its network."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self.types = infer_types(graph)
        self.readers = graph.readers()
        self.nodes = {node.name: node for node in graph.nodes}
        self.weights = weights

    def __call__(self, node: Node) -> nn.Module:
        if isinstance(node.op, Constant):
            value = torch.tensor(self.weights[f"{node.prefix}.value"])
            return Fixed(value.permute(2, 0, 1) if value.dim() == 3 else value)
        try:
            return self._module(node, self.types[node.inputs[0]])
        except TargetError as error:
            raise error.at(node.span, node.row) from None

    def _module(self, node: Node, x: TensorType) -> nn.Module:
        match node.op:
            case Conv() as op:
                return _padded(op.window, x, 0.0, lambda sides: self._conv(node, op, x, sides))
            case Depthwise() as op:
                conv = op.as_conv(x.maps)
                return _padded(op.window, x, 0.0, lambda sides: self._conv(node, conv, x, sides))
            case ConvTranspose() as op:
                return self._conv_transpose(node, op, x)
            case Shuffle() as op:
                return Deal(op.groups)
            case Slice() as op if x.is_image:
                return Part(op.places(x))
            case BatchNorm() as op:
                return self._batch_norm(node, op, x)
            case Dense() as op:
                return self._dense(node, op, x)
            case MaxPool() as op:
                return _padded(op.window, x, -torch.inf, lambda sides: _max_pool(op, sides))
            case AvgPool() as op:
                return _padded(op.window, x, None, lambda sides: _avg_pool(op, sides))
            case GlobalAvgPool():
                return nn.AdaptiveAvgPool2d(1)
            case GlobalMaxPool():
                return nn.AdaptiveMaxPool2d(1)
            case Lrn() as op:
                return _lrn(op)
            case Activation() as op if op.name in _ACTIVATIONS:
                return _ACTIVATIONS[op.name](*op.numbers)
            case Dropout():
                return nn.Identity()
            case Flatten() as op:
                keeps_maps = op.order == "hwc" and x.is_image and not self._only_dense_reads(node)
                return nn.Sequential(LastMaps(), nn.Flatten()) if keeps_maps else nn.Flatten()
            case Add():
                return Sum()
            case Mul():
                return Product()
            case Concat() as op:
                return Join({"maps": 1, "height": 2, "width": 3}[op.axis])
            case op:
                raise _refusal(op)

    def _conv(self, node: Node, op: Conv, x: TensorType, padding: tuple[int, int]) -> nn.Module:
        module = nn.Conv2d(
            x.maps, op.maps, op.kernel, op.stride, padding, op.dilation, op.groups, op.bias
        )
        return self._filled(module, node)

    def _conv_transpose(self, node: Node, op: ConvTranspose, x: TensorType) -> nn.Module:
        (top, bottom), (left, right) = op.cuts()
        rest = top - bottom, left - right
        if min(top, left, *rest) < 0:
            raise _refusal(op)
        module = nn.ConvTranspose2d(
            x.maps,
            op.maps,
            op.kernel,
            op.stride,
            (top, left),
            rest,
            op.groups,
            op.bias,
            op.dilation,
        )
        return self._filled(module, node)

    def _batch_norm(self, node: Node, op: BatchNorm, x: TensorType) -> nn.Module:
        kind = nn.BatchNorm2d if x.is_image else nn.BatchNorm1d
        module = kind(x.maps, op.epsilon)
        names = {"mean": "running_mean", "variance": "running_var"}
        return self._filled(module, node, names)

    def _dense(self, node: Node, op: Dense, x: TensorType) -> nn.Module:
        module = self._filled(nn.Linear(x.size, op.maps, op.bias), node)
        flattened = self._flattened(node)
        if flattened is not None:
            height, width, maps = flattened
            with torch.no_grad():
                columns = module.weight.reshape(-1, height, width, maps).permute(0, 3, 1, 2)
                module.weight.copy_(columns.reshape(op.maps, -1).clone())
        return module

    def _filled(self, module: Filled, node: Node, names: Mapping[str, str] | None = None) -> Filled:
        """The module with a node's parameters in it. `names` are those that differ in PyTorch."""
        with torch.no_grad():
            for full, param in node_params(node, self.types).items():
                theirs = (names or {}).get(param.name, param.name)
                getattr(module, theirs).copy_(torch.tensor(self.weights[full]))
        return module

    def _flattened(self, node: Node) -> tuple[int, ...] | None:
        """The image whose cells a dense node reads in the order height, width, maps, if any."""
        source = self.nodes[node.inputs[0]]
        while isinstance(source.op, Dropout):
            source = self.nodes[source.inputs[0]]
        if isinstance(source.op, Flatten) and source.op.order == "hwc":
            image = self.types[source.inputs[0]]
            return image.shape if image.is_image and self._only_dense_reads(source) else None
        return None

    def _only_dense_reads(self, node: Node) -> bool:
        """Whether none but dense rows will see in which order a node writes its cells."""
        readers = self.readers[node.name]
        return bool(readers) and all(
            isinstance(reader.op, Dense)
            or (isinstance(reader.op, Dropout) and self._only_dense_reads(reader))
            for reader in readers
        )


def _padded(
    window: Window,
    x: TensorType,
    fill: float | None,
    make: Callable[[tuple[int, int]], nn.Module],
) -> nn.Module:
    """
    The module that `make` makes for the padding that it is to add by itself.

    Sides that differ, or that are more than a pool may add, are padded with `fill` before it.
    """
    (top, bottom), (left, right) = window.sides(x.height_width)
    within = 2 * top <= window.kernel[0] and 2 * left <= window.kernel[1]
    if (top, left) == (bottom, right) and (within or fill == 0.0):
        return make((top, left))
    if fill is None or window.rounding != "floor":
        raise TargetError("PyTorch has no pool with this padding", code="E701")
    return nn.Sequential(nn.ConstantPad2d((left, right, top, bottom), fill), make((0, 0)))


def _max_pool(op: MaxPool, padding: tuple[int, int]) -> nn.Module:
    ceil = _ceil(op)
    return nn.MaxPool2d(op.kernel, op.stride, padding, op.dilation, ceil_mode=ceil)


def _avg_pool(op: AvgPool, padding: tuple[int, int]) -> nn.Module:
    if op.dilation != (1, 1):
        raise _refusal(op)
    padded = op.divisor == "padded"
    return nn.AvgPool2d(op.kernel, op.stride, padding, _ceil(op), count_include_pad=padded)


def _ceil(op: MaxPool | AvgPool) -> bool:
    if op.rounding == "ceil_caffe":
        raise _refusal(op)
    return op.rounding == "ceil"


def _lrn(op: Lrn) -> nn.Module:
    near = op.neighbours()
    size = near.lower + 1 + near.upper
    if near.lower != size // 2:
        raise _refusal(op)
    return nn.LocalResponseNorm(size, near.scale * size, op.beta, op.k)


def _refusal(op: Op) -> TargetError:
    return TargetError(f"the benchmark does not convert {op.row_type} of this kind", code="E701")


def _key(name: str) -> str:
    """A node's name as PyTorch allows it."""
    return name.replace(".", "_")
