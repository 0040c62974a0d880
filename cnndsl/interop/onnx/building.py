"""The graph that grows while an ONNX model is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import CnnError
from cnndsl.interop.onnx.cell_blocks import find_filter
from cnndsl.interop.onnx.joining import joined
from cnndsl.interop.onnx.naming import Names
from cnndsl.interop.onnx.permuting import permuted
from cnndsl.interop.onnx.reading import Array, Facts
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.values import View, as_image, onnx_shape, realise
from cnndsl.ir.infer import infer_node
from cnndsl.ir.node import Node
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.input import Input
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.rescalable import Rescalable
from cnndsl.ops.resize import Resize
from cnndsl.types import TensorType, f32

FloatArray = NDArray[np.float32]

TINY = 1e-12
"""The epsilon of a normalization that only scales and shifts: nothing beside a variance of 1."""


@dataclass
class Builder:
    """Nodes in order, each a row of its own, and by name their places, types and weights."""

    nodes: list[Node] = field(default_factory=list[Node])
    places: dict[str, int] = field(default_factory=dict[str, int])
    types: dict[str, TensorType] = field(default_factory=dict[str, TensorType])
    weights: dict[str, FloatArray] = field(default_factory=dict[str, FloatArray])
    names: Names = field(default_factory=Names)

    def add(
        self,
        op: Op,
        inputs: Sequence[str],
        source: Facts | None = None,
        params: Mapping[str, Array] | None = None,
    ) -> str:
        """A node of that operator. Raises `Unsupported` where the operator refuses its operands."""
        wish = ("", "")
        if source is not None:
            wish = source.op_type, source.module or source.name
        name = self._put(op, tuple(inputs), self.names.take(op, *wish))
        wanted = {p.name: p.shape for p in op.params(*(self.types[i] for i in inputs))}
        for key, array in (params or {}).items():
            if array.shape != wanted.get(key):
                raise Unsupported(f"its {key} has the shape {list(array.shape)}")
            self.weights[f"{name}.{key}"] = np.ascontiguousarray(array, np.float32)
        return name

    def add_input(self, op: Input, name: str) -> str:
        """A row where images enter. Raises `Unsupported` where it refuses its own size."""
        return self._put(op, (), self.names.take(op, "", name))

    def __getitem__(self, name: str) -> Node:
        return self.nodes[self.places[name]]

    def view(self, name: str, shape: tuple[int, ...] | None = None) -> View:
        """A node's result as it stands, or in another ONNX shape."""
        type_ = self.types[name]
        return View(name, type_, onnx_shape(type_) if shape is None else shape)

    def realised(self, view: View, type_: TensorType) -> str:
        """A node whose result is the view's cells as an image or a vector."""
        ops = realise(view, type_)
        if ops is None and (found := find_filter(view, type_)) is not None:
            op, weight = found
            return self.add(op, [view.node], params={"weight": weight})
        ops = ops if ops is not None else permuted(view, type_)
        if ops is None:
            raise Unsupported(
                f"it reads cells in an order that no row makes (as {list(view.shape)})",
                "only shuffles, transposing, flattening and reshaping have rows",
            )
        name = view.node
        for op in ops:
            name = self.add(op, [name])
        return name

    def image(self, view: View) -> str:
        """A node with the view as an image: maps along the first axis."""
        narrow, image = view.narrowed(), as_image(view.shape)
        if narrow is view:
            return self.realised(view, image)
        whole, once = joined([view.shape, narrow.shape])
        name = self.realised(narrow, as_image(once))
        name = self._repeated(name, as_image(whole))
        return self.realised(self.view(name, view.shape), image)

    def vector(self, view: View) -> str:
        """A node with all of the view as one vector."""
        if view.narrowed() is not view:
            view = self.view(self.image(view), view.shape)
        return self.realised(view, f32(prod(view.shape)))

    def _repeated(self, name: str, image: TensorType) -> str:
        """An image's cells repeated along sides of one cell, and its one map, up to a size."""
        old = self.types[name]
        factor = tuple(new // side for new, side in zip(image.shape[:2], old.shape, strict=False))
        if factor != (1, 1):
            name = self.add(Resize("nearest", factor=(factor[0], factor[1])), [name])
        if old.maps != image.maps:
            ones = np.ones((image.maps, 1, 1, 1), np.float32)
            name = self.add(Conv(image.maps, (1, 1), bias=False), [name], params={"weight": ones})
        return name

    def tensor(self, view: View) -> str:
        """A node with the view as what it is: a vector of one axis, or an image."""
        return self.vector(view) if len(view.shape) == 1 else self.image(view)

    def along(self, view: View, axis: int) -> tuple[View, tuple[int, ...]]:
        """The view with an axis moved to the front, and the order that moves it back."""
        axis %= len(view.shape)
        order = (axis, *(i for i in range(len(view.shape)) if i != axis))
        if axis == 0:
            return view, order
        back = tuple(int(i) for i in np.argsort(order))
        return view.transposed(order), back

    def elementwise(self, op: Op, view: View, source: Facts) -> View:
        """An operator that looks at each cell by itself, whatever their order."""
        return replace(view, node=self.add(op, [view.node], source), shared=False)

    def scaled(
        self, view: View, scale: Array | None, shift: Array | None, source: Facts, axis: int
    ) -> View:
        """
        The view times `scale` plus `shift`, each a number for each place along the axis.

        It goes into the parameters of the node before, if that node has some of that kind and
        nobody else reads it; else it becomes a normalization that only scales and shifts.
        """
        front, back = self.along(view, axis)
        count = front.shape[0]
        factor = np.ones(count) if scale is None else scale.astype(np.float64)
        summand = np.zeros(count) if shift is None else shift.astype(np.float64)
        whole = front.places is None and count == front.type.maps
        if whole and not view.shared and self._absorbed(view.node, factor, summand):
            return view
        params = {
            "mean": np.zeros(count),
            "variance": np.ones(count),
            **({} if scale is None else {"weight": factor}),
            **({} if shift is None else {"bias": summand}),
        }
        op = BatchNorm(TINY, scale is not None, shift is not None)
        result = self.add(op, [self.tensor(front)], source, params)
        made = self.view(result, front.shape)
        return made if front is view else made.transposed(back)

    def _put(self, op: Op, inputs: tuple[str, ...], name: str) -> str:
        node = Node(name, op, inputs, name)
        try:
            self.types[name] = infer_node(node, self.types)
        except CnnError as error:
            raise Unsupported(error.diagnostics[0].message) from None
        self.places[name] = len(self.nodes)
        self.nodes.append(node)
        return name

    def _absorbed(self, name: str, scale: Array, shift: Array) -> bool:
        """Whether the node could take the factor and the summand into its own parameters."""
        node = self[name]
        keys = [p.name for p in node.op.params(*(self.types[i] for i in node.inputs))]
        params: dict[str, Any] = {
            key: self.weights[f"{name}.{key}"].astype(np.float64) for key in keys
        }
        had_bias = "bias" in params
        if isinstance(node.op, Rescalable):
            params = node.op.rescaled(params, scale, shift)
            flags = {}
        elif _has_affine_maps(node.op):
            weight, bias = params.get("weight", 1.0), params.get("bias", 0.0)
            params |= {"weight": weight * scale, "bias": bias * scale + shift}
            flags = {"scale": True}
        else:
            return False
        if not had_bias and not shift.any():
            del params["bias"]
        op: Any = replace(cast(Any, node.op), bias="bias" in params, **flags)
        self.nodes[self.places[name]] = replace(node, op=op)
        for key, array in params.items():
            self.weights[f"{name}.{key}"] = array.astype(np.float32)
        return True


def _has_affine_maps(op: Op) -> bool:
    """Whether it is a normalization that can have a weight and a bias for each map."""
    return isinstance(op, (BatchNorm, GroupNorm)) or (
        isinstance(op, LayerNorm) and op.over != "image"
    )
