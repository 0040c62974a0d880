"""
A convolution in steps as one without: the pixels of a block become the maps of one pixel.

A filter of r x s that moves by d x e pixels reads whole blocks of that size. In an image whose
pixels are such blocks, of d e times the maps, it is a filter of ceil(r / d) x ceil(s / e) that
moves by one, and so one for Winograd's algorithm. Where blocks are not whole, the filter has zeros.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair


def space_to_depth(shape: ConvShape) -> ConvShape:
    """
    The same convolution of an image of blocks; `padding` still counts pixels.

    >>> shape = ConvShape((112, 112), 3, 64, kernel=(7, 7), stride=(2, 2), padding=(3, 3))
    >>> blocks = space_to_depth(shape)
    >>> blocks.in_maps, blocks.kernel, blocks.stride
    (12, (4, 4), (1, 1))
    """
    (down, right), (r, s) = shape.stride, shape.kernel
    kernel = ceil(r / down), ceil(s / right)
    return replace(shape, in_maps=down * right * shape.in_maps, kernel=kernel, stride=(1, 1))


def filters_to_depth(weight: NDArray[np.float32], stride: Pair) -> NDArray[np.float32]:
    """
    `weight` [out, in, r, s] for the image of blocks: [out, maps of a block, ceil(r/d), ceil(s/e)].

    The maps of a block are those of its pixels, row by row.
    """
    if stride == (1, 1):
        return weight
    out_maps, in_maps, r, s = weight.shape
    (down, right), rows, columns = stride, ceil(r / stride[0]), ceil(s / stride[1])
    whole = ((0, 0), (0, 0), (0, rows * down - r), (0, columns * right - s))
    blocks = np.pad(weight, whole).reshape(out_maps, in_maps, rows, down, columns, right)
    return blocks.transpose(0, 3, 5, 1, 2, 4).reshape(out_maps, -1, rows, columns)
