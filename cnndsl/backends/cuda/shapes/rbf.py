"""What the kernel of kernels/rbf.py is told."""

from __future__ import annotations

from typing import NamedTuple


class RbfShape(NamedTuple):
    """`distances` of the whole batch, from vectors of `inputs` to each of `outputs` centres."""

    distances: int
    inputs: int
    outputs: int
    alpha: float
    beta: float
