"""Weights in the order in which kernels read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.rounding import rounded_words
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.shapes.dense_vector import LANES, OUTPUTS, WORDS, Form, lane_inputs
from cnndsl.backends.cuda.shapes.tensor_core import QUAD


def padded(count: int, step: int) -> int:
    """
    The next multiple of `step`.

    >>> padded(10, 4), padded(12, 4)
    (12, 12)
    """
    return -(-count // step) * step


def pack_panels(weight: NDArray[np.float32], groups: int, tile: Tile) -> NDArray[np.float32]:
    """
    `weight` [out, in/groups, kh, kw] as `[group, k, out map of the group]`.

    It serves all tiles of a depth. k counts rows, columns and input maps, the maps fastest. Zeros
    fill k up to whole slices and the maps to quads. For tensor cores the weights are rounded, and
    lie as `[group, row, out map of the group, word]`, four words a row, whose bits are called
    float32 here: a word is one k or, where two share it, k and k + 4.

    >>> weight = np.arange(12, dtype=np.float32).reshape(3, 2, 1, 2)
    >>> pack_panels(weight, 1, Tile(8, 8, 4, 2, 4, 4))[0]
    array([[ 0.,  4.,  8.,  0.],
           [ 2.,  6., 10.,  0.],
           [ 1.,  5.,  9.,  0.],
           [ 3.,  7., 11.,  0.]], dtype=float32)
    """
    out_maps, each, height, width = weight.shape
    filters = weight.reshape(groups, out_maps // groups, each, height, width)
    filled = filters.transpose(0, 3, 4, 2, 1).reshape(groups, height * width * each, -1)
    depth, maps = filled.shape[1:]
    panels = np.zeros((groups, padded(depth, tile.depth), padded(maps, QUAD)), np.float32)
    panels[:, :depth, :maps] = filled
    core = tile.tensor_core
    if core is None:
        return panels
    shares = panels.reshape(groups, -1, core.factors, QUAD, panels.shape[-1])
    words = rounded_words(core.format, shares[:, :, 0], shares[:, :, -1])
    return np.ascontiguousarray(words.swapaxes(2, 3)).view(np.float32)


def pack_rows(weight: NDArray[np.float32], form: Form = "float32") -> NDArray[np.float32]:
    """
    `weight` [out, in] as `[block of outputs, chunk of inputs, output, lane, word]`.

    A chunk is what the lanes of a warp load at a time. Zeros fill both up.
    """
    outputs, inputs = weight.shape
    chunk = LANES * lane_inputs(form)
    rows = np.zeros((padded(outputs, OUTPUTS), padded(inputs, chunk)), np.float32)
    rows[:outputs, :inputs] = weight
    chunks = rows.reshape(len(rows) // OUTPUTS, OUTPUTS, -1, LANES, lane_inputs(form))
    chunks = np.ascontiguousarray(chunks.swapaxes(1, 2))
    if form == "float32":
        return chunks
    pairs = chunks.reshape(*chunks.shape[:-1], WORDS, 2)
    return rounded_words(form, pairs[..., 0], pairs[..., 1]).view(np.float32)


def pack_taps(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """`weight` [out, in/groups, kh, kw] as `[u, v, c, out map]`."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0), np.float32)
