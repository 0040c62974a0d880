"""
Operators as PyTorch computes them: a second opinion on the definitions.

Everything goes through PyTorch's own functions, in float64, wherever it has one that computes the
same. It pads alike on both sides only, so what a window reads around an image is added before it.
Nothing here is fast; `cnndsl verify --against torch` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from typing import Any

import numpy as np

from cnndsl.errors import MissingExtra
from cnndsl.interop.torch_places import Tensor, moved
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.base import Array, Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.connections import connection_mask
from cnndsl.ops.constant import Constant
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
from cnndsl.ops.padding import Sides
from cnndsl.ops.pool import Pool
from cnndsl.ops.prelu import Prelu
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.separable import Separable
from cnndsl.ops.subsample import Subsample
from cnndsl.ops.window import Window

Params = Mapping[str, Tensor]


def torch_module() -> Any:
    """PyTorch. Raises `MissingExtra` where it is not installed."""
    try:
        return import_module("torch")
    except ImportError:
        raise MissingExtra(
            "a comparison with PyTorch needs the package torch",
            fixes=["pip install 'cnndsl[torch]'"],
        ) from None


def evaluate_by_torch(op: Op, *operands: Array, **params: Array) -> Array:
    """
    What `op.evaluate` gives, computed by PyTorch in float64.

    Operands and result lie as there: `[n, h, w, c]` or `[n, f]`. Raises `MissingExtra`.
    """
    torch = torch_module()
    tensors = [torch.from_numpy(np.ascontiguousarray(_planes(x))) for x in operands]
    weights = {k: torch.from_numpy(np.array(param, np.float64)) for k, param in params.items()}
    with torch.no_grad():
        y = _Torch(torch, torch.nn.functional).value(op, weights, tensors)
    found: Array = y.numpy()
    return found.transpose(0, 2, 3, 1) if found.ndim == 4 else found


def _planes(x: Array) -> Array:
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


class _Torch:
    """Operators on tensors `[n, c, h, w]` and `[n, f]`."""

    def __init__(self, torch: Any, functional: Any) -> None:
        self.torch = torch
        self.F = functional

    def value(self, op: Op, p: Params, operands: list[Tensor]) -> Tensor:
        """The result of an operator."""
        if isinstance(op, Constant):
            value = p["value"][None]
            return value if op.size is None else value.permute(0, 3, 1, 2)
        x = operands[0]
        match op:
            case Conv():
                return self.conv(op, p, x)
            case Depthwise():
                return self.conv(op.as_conv(x.shape[1]), p, x)
            case Separable():
                middle = self.conv(
                    op.depthwise.as_conv(x.shape[1]), {"weight": p["depthwise.weight"]}, x
                )
                halves = {k.partition(".")[2]: v for k, v in p.items() if k.startswith("pointwise")}
                return self.conv(op.pointwise, halves, middle)
            case ConvTranspose():
                return self.transposed(op, p, x)
            case Dense():
                return self.F.linear(x, p["weight"], p.get("bias"))
            case Rbf():
                distance = self.torch.cdist(
                    x, p["weight"], compute_mode="donot_use_mm_for_euclid_dist"
                )
                return distance if op.distance == "euclidean" else distance**2
            case Pool():
                return self.pool(op, p, x)
            case GlobalAvgPool():
                return self.F.adaptive_avg_pool2d(x, 1)
            case GlobalMaxPool():
                return self.F.adaptive_max_pool2d(x, 1)
            case BatchNorm():
                factors = p.get("weight"), p.get("bias")
                return self.F.batch_norm(x, p["mean"], p["variance"], *factors, eps=op.epsilon)
            case GroupNorm():
                return self.group_norm(x, p, op.groups, op.epsilon)
            case InstanceNorm():
                return self.group_norm(x, p, x.shape[1], op.epsilon)
            case LayerNorm():
                return self.layer_norm(op, p, x)
            case Lrn():
                return self.lrn(op, x)
            case Prelu():
                return self.prelu(op, p, x)
            case Activation():
                return self.activation(op, x)
            case Dropout():
                return self.F.dropout(x, training=False)
            case Add():
                return reduce(self.torch.add, operands)
            case Mul():
                rank = max(operand.dim() for operand in operands)
                images = [y if y.dim() == rank else y[:, :, None, None] for y in operands]
                return reduce(self.torch.mul, images)
            case Concat():
                return self.torch.cat(operands, {"maps": 1, "height": 2, "width": 3}[op.axis])
            case _:
                return moved(self.torch, op, x)

    # ---- filters

    def conv(self, op: Conv, p: Params, x: Tensor) -> Tensor:
        weight = p["weight"]
        if op.connect:
            mask = connection_mask(op.connect, tuple(weight.shape))
            weight = weight * self.torch.from_numpy(mask)
        padded = self.around(x, op.window.sides(_image(x)), 0.0)
        return self.F.conv2d(padded, weight, p.get("bias"), op.stride, 0, op.dilation, op.groups)

    def transposed(self, op: ConvTranspose, p: Params, x: Tensor) -> Tensor:
        """All that the filters reach, with what `op` cuts off cut off behind it."""
        whole = self.F.conv_transpose2d(
            x, p["weight"], None, op.stride, 0, 0, op.groups, op.dilation
        )
        (top, bottom), (left, right) = op.cuts()
        y = self.F.pad(whole, (-left, -right, -top, -bottom))
        return y if "bias" not in p else y + p["bias"][:, None, None]

    # ---- windows

    def pool(self, op: Pool, p: Params, x: Tensor) -> Tensor:
        window, image = op.window, _image(x)
        fill = -self.torch.inf if isinstance(op, MaxPool) else 0.0
        cells = self.around(x, window.grown_sides(image), fill)
        if isinstance(op, MaxPool):
            return self.F.max_pool2d(cells, op.kernel, op.stride, 0, op.dilation)
        match op:
            case AvgPool():
                return self.sums(cells, window) / self.counted(op, x)
            case LpPool():
                return self.sums(cells.abs() ** op.p, window) ** (1 / op.p)
            case Subsample():
                weight, bias = (p[name][:, None, None] for name in ("weight", "bias"))
                return bias + weight * self.sums(cells, window)
            case _:
                raise TypeError(f"{op.row_type} is no pool that PyTorch is asked for")

    def sums(self, x: Tensor, window: Window) -> Tensor:
        """The sum of each window: a depthwise convolution with ones."""
        maps = x.shape[1]
        ones = self.torch.ones(maps, 1, *window.kernel, dtype=x.dtype)
        return self.F.conv2d(x, ones, None, window.stride, 0, window.dilation, maps)

    def counted(self, op: AvgPool, x: Tensor) -> Tensor:
        """The cells that each window's sum is divided by."""
        grown, ones = op.window.grown_sides(_image(x)), self.torch.ones_like(x[:1, :1])
        if op.divisor != "padded":
            return self.sums(self.around(ones, grown, 0.0), op.window)
        sides = op.window.sides(_image(x))
        (top, bottom), (left, right) = (
            tuple(g - s for g, s in zip(*axis, strict=True))
            for axis in zip(grown, sides, strict=True)
        )
        cells = self.around(ones, sides, 1.0)
        return self.sums(self.around(cells, ((top, bottom), (left, right)), 0.0), op.window)

    def around(self, x: Tensor, sides: Sides, fill: float) -> Tensor:
        (top, bottom), (left, right) = sides
        return self.F.pad(x, (left, right, top, bottom), value=fill)

    # ---- cells

    def group_norm(self, x: Tensor, p: Params, groups: int, epsilon: float) -> Tensor:
        # Behind the function of `functional`, which refuses groups of one cell.
        return self.torch.group_norm(x, groups, p.get("weight"), p.get("bias"), epsilon)

    def layer_norm(self, op: LayerNorm, p: Params, x: Tensor) -> Tensor:
        turned = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
        shape = turned.shape[1:] if op.over == "image" else turned.shape[-1:]
        y = self.F.layer_norm(turned, shape, p.get("weight"), p.get("bias"), op.epsilon)
        return y.permute(0, 3, 1, 2) if x.dim() == 4 else y

    def lrn(self, op: Lrn, x: Tensor) -> Tensor:
        """PyTorch has its longer side below: a window with another shape is set into a larger."""
        near = op.neighbours()
        if near.lower - near.upper in (0, 1):
            size = near.lower + 1 + near.upper
            return self.F.local_response_norm(x, size, near.scale * size, op.beta, op.k)
        squares = self.F.pad(x**2, (0, 0, 0, 0, near.lower, near.upper))
        sums = squares.unfold(1, near.lower + 1 + near.upper, 1).sum(-1)
        return x / (op.k + near.scale * sums) ** op.beta

    def prelu(self, op: Prelu, p: Params, x: Tensor) -> Tensor:
        if op.slopes != "cell":
            return self.F.prelu(x, p["weight"])
        weight = p["weight"].permute(2, 0, 1) if x.dim() == 4 else p["weight"]
        return self.torch.where(x > 0, x, weight * x)

    def activation(self, op: Activation, x: Tensor) -> Tensor:
        torch, own = self.torch, self.F
        match op.name, op.numbers:
            case "linear", ():
                return x
            case "scaled_tanh", ():
                return 1.7159 * torch.tanh(2 * x / 3)
            case "softmax" | "log_softmax" as name, ():
                return getattr(own, name)(x, 1)
            case "gelu_erf", ():
                return own.gelu(x)
            case "gelu_tanh", ():
                return own.gelu(x, approximate="tanh")
            case "clip", (low, high):
                return torch.clamp(x, low, high)
            case "hard_sigmoid", (alpha, beta):
                return torch.clamp(alpha * x + beta, 0, 1)
            case "hard_swish", ():
                return own.hardswish(x)
            case "softplus", ():
                # Beyond a threshold PyTorch's is x itself, and here no cell comes near to this one.
                return own.softplus(x, threshold=700)
            case "power", (exponent,):
                return torch.pow(x, exponent)
            case "tanh" | "sigmoid" | "abs" | "exp" as name, ():
                return getattr(torch, name)(x)
            case name, numbers:
                return getattr(own, name)(x, *numbers)


def _image(x: Tensor) -> tuple[int, int]:
    return int(x.shape[2]), int(x.shape[3])
