"""
Object detection: from the numbers of a YOLO network to boxes in a picture.

A network's last rows hold, for every cell of a grid, the places of boxes and how sure it is of
them. Three steps make a list of found objects of them: decoding (`yolo_v1`, `yolo_v3`), suppression
of boxes that say the same (`suppress`), and the way back to the picture's pixels
(`Boxes.in_picture`).

    >>> grid = np.full((1, 1, 7), -9.0)          # one cell, one anchor, two classes
    >>> grid[0, 0, [2, 3, 4, 6]] = 0, 0, 9, 9    # as large as the anchor, sure, the second class
    >>> found = yolo_v3(grid, anchors=[(16, 8)], image=(32, 32))
    >>> found.classes, found.scores.round(2)
    (array([1]), array([1.]))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import InputError
from cnndsl.ops.kinds import Pair
from cnndsl.pictures import ReadsPictures, placement

Array = NDArray[np.float64]

YOLO_V3_TINY_ANCHORS = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
"""
Width and height in pixels of yolov3-tiny's anchors.

The 13x13 grid has the last three. The 26x26 grid has the first three in the authors' table, and
those from the second to the fourth in copies of it: who has weights must know which.
"""


@dataclass(frozen=True)
class Boxes:
    """
    Objects that were found, the surest first.

    `corners` `[n, 4]` are left, top, right and bottom, as fractions of the network's input image
    or, behind `in_picture`, in a picture's pixels; `scores` `[n]` lie in 0..1, and `classes` `[n]`
    count from 0.
    """

    corners: Array
    scores: Array
    classes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, which: Any) -> Boxes:
        """Those that a mask or indices name."""
        return Boxes(self.corners[which], self.scores[which], self.classes[which])

    def in_picture(self, size: Pair, network: ReadsPictures) -> Boxes:
        """
        The same in pixels of the picture of that height and width that `preprocess` was given.

        What lies outside the picture, as in the margins of `fit=pad`, is cut off.
        """
        op = network.signature.input
        found, (height, width) = placement(size, op), op.size
        sides = np.array([width, height] * 2, np.float64)
        starts, scales = (np.array(pair[::-1] * 2) for pair in (found.start, found.scale))
        corners = starts + self.corners * sides * scales
        limits = np.array([size[1], size[0]] * 2, np.float64)
        return Boxes(np.clip(corners, 0.0, limits), self.scores, self.classes)


def yolo_v3(
    grid: Any, *, anchors: Sequence[tuple[float, float]], image: Pair, threshold: float = 0.5
) -> Boxes:
    """
    The boxes of one output of YOLO v3 for one image.

    `grid` is `[rows, columns, anchors * (5 + classes)]`: for each anchor x, y, width, height, the
    confidence and the class scores. `anchors` are widths and heights in pixels of the network's
    input, whose height and width `image` is. Redmon and Farhadi 2018, arXiv:1804.02767, section
    2.1: `x = (sigmoid(tx) + column) / columns`, `w = pw * exp(tw)`, and the score of a class is
    `sigmoid(to) * sigmoid(class)`. Every class of a box whose score exceeds `threshold` counts.
    Raises `InputError` for a grid that does not divide among the anchors.
    """
    cells: Array = np.asarray(grid, np.float64)
    each = cells.shape[-1] // len(anchors) if cells.ndim == 3 and len(anchors) else 0
    if each < 6 or cells.shape[-1] != each * len(anchors):
        raise InputError(
            f"a grid {list(cells.shape)} is not [rows, columns, {len(anchors)} anchors * "
            "(5 + classes)]",
            fixes=["pass one image's output, y[0], channels last, and the anchors of that grid"],
        )
    rows, columns = map(int, cells.shape[:2])
    cells = cells.reshape(rows, columns, len(anchors), each)
    places = _sigmoid(cells[..., :2])
    x = (places[..., 0] + _offsets(columns)[:, None]) / columns
    y = (places[..., 1] + _offsets(rows)[:, None, None]) / rows
    sizes = np.array(anchors, np.float64) / (image[1], image[0]) * np.exp(cells[..., 2:4])
    scores = _sigmoid(cells[..., 4:5]) * _sigmoid(cells[..., 5:])
    return _found(x, y, sizes, scores, threshold)


def yolo_v1(
    output: Any, *, grid: int = 7, boxes: int = 2, classes: int = 20, threshold: float = 0.2
) -> Boxes:
    """
    The boxes of YOLO v1's output for one image, `[grid * grid * (classes + 5 * boxes)]`.

    First all cells' class scores, then all confidences, then all boxes, as Darknet has them. A
    box's place is counted within its cell, its width and height are predicted as square roots of
    fractions of the image (Redmon et al. 2015, arXiv:1506.02640, section 2), and the score of a
    class is its own times the confidence (equation 1). Raises `InputError` for another length.
    """
    numbers: Array = np.asarray(output, np.float64)
    cells = grid * grid
    parts = cells * classes, cells * boxes, cells * boxes * 4
    if numbers.shape != (sum(parts),):
        raise InputError(
            f"YOLO v1's output for one image has {grid} * {grid} * ({classes} + 5 * {boxes}) = "
            f"{sum(parts)} numbers, and this is {list(numbers.shape)}",
            fixes=["pass one image's output, y[0]"],
        )
    chances, sure, places = np.split(numbers, np.cumsum(parts)[:2])
    chances = chances.reshape(grid, grid, 1, classes)
    sure = sure.reshape(grid, grid, boxes, 1)
    places = places.reshape(grid, grid, boxes, 4)
    x = (places[..., 0] + _offsets(grid)[:, None]) / grid
    y = (places[..., 1] + _offsets(grid)[:, None, None]) / grid
    return _found(x, y, places[..., 2:] ** 2, sure * chances, threshold)


def together(*found: Boxes) -> Boxes:
    """The boxes of several grids as one list, the surest first."""
    return _ordered(
        np.concatenate([boxes.corners for boxes in found]),
        np.concatenate([boxes.scores for boxes in found]),
        np.concatenate([boxes.classes for boxes in found]),
    )


def suppress(found: Boxes, overlap: float = 0.45) -> Boxes:
    """
    Non-maximum suppression: of boxes of a class that overlap, only the surest.

    Greedy, as in Girshick et al. 2013, arXiv:1311.2524: the surest box stays, whatever of its class
    overlaps it by more than `overlap` (intersection over union) goes, and so on with the rest.
    """
    kept: list[int] = []
    left = np.argsort(-found.scores, kind="stable")
    while len(left):
        best, rest = left[0], left[1:]
        kept.append(int(best))
        same = found.classes[rest] == found.classes[best]
        over = overlaps(found.corners[[best]], found.corners[rest])[0] > overlap
        left = rest[~(same & over)]
    return found.take(np.array(kept, np.intp))


def overlaps(first: Any, second: Any) -> Array:
    """
    Intersection over union of boxes `[n, 4]` with boxes `[m, 4]`: `[n, m]`, in 0..1.

    >>> overlaps([[0, 0, 2, 1]], [[1, 0, 3, 1], [0, 0, 2, 1]]).round(2)
    array([[0.33, 1.  ]])
    """
    a, b = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    common = np.prod(np.maximum(high - low, 0.0), -1)
    areas = (np.prod(np.maximum(x[..., 2:] - x[..., :2], 0.0), -1) for x in (a, b))
    union = sum(areas) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _found(x: Array, y: Array, sizes: Array, scores: Array, threshold: float) -> Boxes:
    """Boxes `[..., 2]` of these centres and sizes, once for each class that is sure enough."""
    centres = np.stack([x, y], -1)
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], -1)
    where = np.nonzero(scores > threshold)
    return _ordered(corners[where[:-1]], scores[where], where[-1])


def _ordered(corners: Array, scores: Array, classes: NDArray[np.intp]) -> Boxes:
    order = np.argsort(-scores, kind="stable")
    return Boxes(corners[order], scores[order], classes[order])


def _offsets(count: int) -> Array:
    return np.arange(count, dtype=np.float64)


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -x))
