"""Cells in any order that transposing axes makes, and detectors that need such orders."""

from itertools import permutations

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_models import assert_same, model_of, node, normal, types_of

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("order", [*permutations([1, 2, 3, 4])])
def test_axes_are_read_in_any_order(order):
    nodes = [
        node("Reshape", "x split", "a"),
        node("Transpose", "a", "b", perm=[0, *order]),
        node("Flatten", "b", "c"),
        node("Gemm", "c w", "y", transB=1),
    ]
    constants = {"split": np.array([2, 2, 3, 4, 5]), "w": normal(3, 120)}
    assert_same(model_of(nodes, [2, 6, 4, 5], constants), 2, 6, 4, 5)


@pytest.mark.parametrize("sides", [(10, 12), (40, 3), (5, 24), (120, 1)])
def test_axes_that_were_joined_are_read_in_any_order(sides):
    nodes = [
        node("Reshape", "x split", "a"),
        node("Transpose", "a", "b", perm=[0, 4, 1, 3, 2]),
        node("Reshape", "b image", "c"),
        node("Softmax", "c", axis=2),
    ]
    constants = {"split": np.array([2, 2, 3, 4, 5]), "image": np.array([2, *sides])}
    assert_same(model_of(nodes, [2, 6, 4, 5], constants), 2, 6, 4, 5)


def test_two_blocks_change_places_in_one_row():
    nodes = [node("Transpose", "x", "t", perm=[0, 2, 1]), node("Softmax", "t", axis=1)]
    found = assert_same(model_of(nodes, [2, 6, 5]), 2, 6, 5)
    assert len(types_of(found)) <= 4


def test_boxes_as_distributions_are_their_means():
    """The head of YOLO v8: a softmax over 16 distances, weighed, from anchors, times strides."""
    nodes = [
        node("Reshape", "x cells", "a"),
        node("Reshape", "a sides", "b"),
        node("Transpose", "b", "c", perm=[0, 2, 1, 3]),
        node("Softmax", "c", "d", axis=1),
        node("Conv", "d distances", "e"),
        node("Reshape", "e boxes", "f"),
        node("Split", "f", "lt rb", axis=1),
        node("Sub", "anchors lt", "near"),
        node("Add", "anchors rb", "far"),
        node("Add", "near far", "sum"),
        node("Div", "sum two", "middle"),
        node("Sub", "far near", "size"),
        node("Concat", "middle size", "box", axis=1),
        node("Mul", "box strides"),
    ]
    constants = {
        "cells": np.array([2, 64, 30]),
        "sides": np.array([2, 4, 16, 30]),
        "distances": np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1),
        "boxes": np.array([2, 4, 30]),
        "anchors": normal(1, 2, 30),
        "two": np.float32(2),
        "strides": np.repeat(np.float32([8, 16, 32]), 10)[None],
    }
    assert_same(model_of(nodes, [2, 64, 5, 6], constants), 2, 64, 5, 6)


def test_boxes_on_a_grid_are_scaled_anchors():
    """The head of YOLO v5: anchors before cells, and what they say last."""
    nodes = [
        node("Reshape", "x split", "a"),
        node("Transpose", "a", "b", perm=[0, 1, 3, 4, 2]),
        node("Sigmoid", "b", "s"),
        node("Split", "s parts", "xy wh conf", axis=4),
        node("Mul", "xy two", "c"),
        node("Add", "c grid", "d"),
        node("Mul", "d stride", "place"),
        node("Mul", "wh two", "e"),
        node("Pow", "e two", "f"),
        node("Mul", "f anchors", "size"),
        node("Concat", "place size conf", "g", axis=4),
        node("Reshape", "g rows"),
    ]
    constants = {
        "split": np.array([2, 3, 9, 4, 5]),
        "parts": np.array([2, 2, 5]),
        "two": np.float32(2),
        "grid": normal(1, 3, 4, 5, 2),
        "stride": np.float32(8),
        "anchors": np.repeat(np.repeat(normal(1, 3, 1, 1, 2), 4, 2), 5, 3),
        "rows": np.array([2, 60, 9]),
    }
    assert_same(model_of(nodes, [2, 27, 4, 5], constants), 2, 27, 4, 5)
