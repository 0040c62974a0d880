"""
Filters on their way to the points of Winograd's algorithm, in the order of its kernel.

A panel at a time: beside the filters and what becomes of them, that takes little memory.
"""

from __future__ import annotations

from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.conv_direct import Tile
from cnndsl.backends.cpu.lowering.weight_memory import weight_memory
from cnndsl.backends.cpu.lowering.winograd_points import tap_scales, weight_matrix

PART_MACS = 1 << 17  # of weights transformed at a time: too few for BLAS to start threads


def weights_at_points(
    weight: NDArray[np.float32], sides: tuple[int, int], tile: Tile
) -> NDArray[np.float32]:
    """
    `weight` [out, in, r, s] at the points of `sides`: [points, panels, vectors, in, lanes].

    Computed in float64 and rounded once.
    """
    out_maps, in_maps, *taps = weight.shape
    filters, points = weight.reshape(out_maps, in_maps, prod(taps)), prod(sides)
    down, across = (weight_matrix(side, r) for side, r in zip(sides, taps, strict=True))
    both = np.einsum("ai,bj->abij", down, across).reshape(points, prod(taps))
    shape = points, ceil(out_maps / tile.width), tile.vectors, in_maps, tile.lanes
    packed = weight_memory(shape)
    columns = PART_MACS // both.size
    for panel in range(shape[1]):
        ordered = _taps(filters[panel * tile.width : (panel + 1) * tile.width], tile)
        values = packed[:, panel].reshape(points, -1)  # a view: a point's values lie together
        for start in range(0, ordered.shape[1], columns):
            part = slice(start, start + columns)
            values[:, part] = np.matmul(both, ordered[:, part])
    return packed


def _taps(filters: NDArray[np.float32], tile: Tile) -> NDArray[np.float64]:
    """Filters [maps, in, r * s] of a panel as [r * s, vectors * in * lanes], zeros for none."""
    _, in_maps, taps = filters.shape
    ordered = np.zeros((taps, tile.vectors, in_maps, tile.lanes))
    for vector in range(tile.vectors):
        rows = filters[vector * tile.lanes : (vector + 1) * tile.lanes]
        ordered[:, vector, :, : len(rows)] = rows.transpose(2, 1, 0)
    return ordered.reshape(taps, -1)


def weights_half_way(
    weight: NDArray[np.float32], sides: tuple[int, int], lanes: int
) -> NDArray[np.float32]:
    """
    `weight` [out, in, r, s] at the points down of `sides`: [points down, panels, in, s, lanes].

    The taps across are scaled by `tap_scales`. Computed in float64 and rounded once.
    """
    out_maps, in_maps, r, s = weight.shape
    down, scales = weight_matrix(sides[0], r), tap_scales(sides[1], s)
    packed = weight_memory((sides[0], ceil(out_maps / lanes), in_maps, s, lanes))
    for panel in range(packed.shape[1]):
        filters = weight[panel * lanes : (panel + 1) * lanes] * scales
        ordered = np.zeros((r, in_maps, s, lanes))
        ordered[..., : len(filters)] = filters.transpose(2, 1, 3, 0)
        packed[:, panel] = (down @ ordered.reshape(r, -1)).reshape(sides[0], *ordered.shape[1:])
    return packed
