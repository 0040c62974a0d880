"""What PyTorch has as a function and a module of a network needs as a module."""

from __future__ import annotations

from functools import reduce

import torch
from torch import nn


class Sum(nn.Module):
    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        return reduce(torch.add, operands)


class Product(nn.Module):
    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        rank = max(x.dim() for x in operands)
        images = [x if x.dim() == rank else x[:, :, None, None] for x in operands]
        return reduce(torch.mul, images)


class Join(nn.Module):
    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        batch = max(len(x) for x in operands)
        return torch.cat([x.expand(batch, *x.shape[1:]) for x in operands], self.axis)


class Fixed(nn.Module):
    """A learnt tensor, for one image; whoever reads it has the batch."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = nn.Parameter(value[None], requires_grad=False)

    def forward(self) -> torch.Tensor:
        return self.value


class Part(nn.Module):
    def __init__(self, places: tuple[range, ...]) -> None:
        super().__init__()
        rows, columns, maps = (slice(p.start, p.stop, p.step) for p in places)
        self.parts = slice(None), maps, rows, columns

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[self.parts]


class Deal(nn.Module):
    """`nn.ChannelShuffle`, in operators that PyTorch's exporter knows."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, maps, height, width = x.shape
        groups = x.reshape(n, self.groups, maps // self.groups, height, width)
        return groups.transpose(1, 2).reshape(n, maps, height, width)


class LastMaps(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1)


class HardSigmoid(nn.Module):
    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta
        # PyTorch's own is the one that other runtimes know.
        self.is_torch_s = abs(alpha - 1 / 6) < 1e-7 and beta == 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.is_torch_s:
            return nn.functional.hardsigmoid(x)
        return torch.clamp(self.alpha * x + self.beta, 0.0, 1.0)
