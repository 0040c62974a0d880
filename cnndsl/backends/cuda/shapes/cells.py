"""What the kernels of kernels/cells.py are told."""

from __future__ import annotations

from typing import NamedTuple


class CellsShape(NamedTuple):
    """
    `cells` of the whole batch, one after the other.

    The factors of cell i are number `i % period`: there are as many as maps, or as cells of an
    image. `alpha` and `beta` are the epilogue's.
    """

    cells: int
    period: int
    alpha: float
    beta: float
