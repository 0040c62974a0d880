"""A compiled model: the face that callers see."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.protocol import Executable
from cnndsl.errors import InputError
from cnndsl.interop.artifact import write_artifact
from cnndsl.ops.base import Best
from cnndsl.ops.input import Input
from cnndsl.types import DenseWeights, Numerics, TensorType

if TYPE_CHECKING:  # a model that was found compiled spares the graph library until it is asked
    from cnndsl.ir.network import Network

FloatArray = NDArray[np.float32]


class Model:
    """
    A network, its weights and the code that runs it.

    Call it with images. It may be called from several threads at once, and after a fork.
    """

    def __init__(
        self,
        network: Callable[[], Network],
        *,
        input: Input,
        output: TensorType,
        best: Best,
        weights: Mapping[str, FloatArray],
        labels: tuple[str, ...] | None,
        executable: Executable,
        target: str,
        threads: int,
        numerics: Numerics,
        dense_weights: DenseWeights,
    ) -> None:
        self._network = network
        self.input = input
        """The input row's operator: size, layout and what a picture needs."""
        self.weights = weights
        """Each row's parameters, `C1.weight`, `C1.bias`, ..., as read-only float32 arrays."""
        self.labels = labels
        """The classes' names, where the input row names a file of them."""
        self.target = target
        self.threads = threads
        self.numerics: Numerics = numerics
        """Whether only kernels that sum products as the operators define them run: `strict`."""
        self.dense_weights: DenseWeights = dense_weights
        """What is kept of dense rows' weights where the model runs."""
        self.input_shape = _in_layout((*input.size, input.maps), input)
        """One image as the input row wants it."""
        self.output_shape = _in_layout(output.shape, input)
        """One image's output."""
        self.best = best
        """Which of the outputs wins where the network classifies: `max` or, of distances, `min`."""
        self._executable = executable

    @cached_property
    def network(self) -> Network:
        """The network. A model that was found compiled parses its table only when asked."""
        return self._network()

    def __repr__(self) -> str:
        shapes = " -> ".join("x".join(map(str, s)) for s in (self.input_shape, self.output_shape))
        strict = ", strict" if self.numerics == "strict" else ""
        narrow = f", {self.dense_weights}" if self.dense_weights != "float32" else ""
        return f"<cnndsl.Model {shapes}, {self.target}, threads={self.threads}{strict}{narrow}>"

    def __call__(self, x: Any) -> NDArray[Any]:
        """
        The network's output for a batch of images, or for one.

        `x` is `[n, height, width, maps]`, or `[n, maps, height, width]` where the input row says
        `layout=nchw`, of any batch size; or one image without the batch axis, whose output then
        has none either. Integers and other floats are converted to float32. Raises `InputError`.
        """
        # The common case first: it costs two comparisons.
        if type(x) is np.ndarray and x.dtype == np.float32 and x.shape[1:] == self.input_shape:
            images, single = np.ascontiguousarray(x), False
        else:
            images, single = _converted(x, self.input_shape, self.input)
        if len(images) == 0:
            return np.empty((0, *self.output_shape), np.float32)
        y = self._executable(images)
        return y[0] if single else y

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, `.cnnm`, that `cnndsl.load` reads. Raises `FileError`."""
        # Imported here: a process that only runs models spares the parser.
        from cnndsl.frontend.format import format_text

        text = format_text(self.network.whole or self.network.source)
        write_artifact(Path(path), text, self.weights, self.labels)


def _in_layout(shape: tuple[int, ...], op: Input) -> tuple[int, ...]:
    nchw = op.layout == "nchw" and len(shape) == 3
    return (shape[2], *shape[:2]) if nchw else shape


def _converted(x: Any, shape: tuple[int, ...], op: Input) -> tuple[FloatArray, bool]:
    """Anything that can safely be read as images, and whether it was one without a batch axis."""
    try:
        array: NDArray[Any] = np.asarray(x)
    except ValueError:
        raise InputError("the input is ragged: its images differ in shape") from None
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"the input holds {array.dtype}, and the network reads float32", code="E602"
        )
    if array.dtype == np.uint8 and (op.range or op.mean or op.std):
        raise InputError(
            "the input holds uint8, and the input row says how pixels are scaled",
            code="E602",
            fixes=["cnndsl.preprocess(pictures, network) scales them; or pass scaled floats"],
        )
    single = array.shape == shape
    if single:
        array = array[None]
    if array.shape[1:] != shape:
        raise InputError(
            f"the input's shape is {list(array.shape)}, and the network reads "
            f"[n, {', '.join(map(str, shape))}] ({op.layout})",
            fixes=_shape_fixes(array.shape, shape, op),
        )
    return np.ascontiguousarray(array, np.float32), single


def _shape_fixes(found: tuple[int, ...], wanted: tuple[int, ...], op: Input) -> list[str]:
    other = (wanted[2], *wanted[:2]) if op.layout == "nhwc" else (*wanted[1:], wanted[0])
    if found[1:] == other:
        axes = "0, 2, 3, 1" if op.layout == "nhwc" else "0, 3, 1, 2"
        there = "nchw" if op.layout == "nhwc" else "nhwc"
        return [f"x.transpose({axes}), or layout={there} in the input row"]
    if found == other:
        axes = "1, 2, 0" if op.layout == "nhwc" else "2, 0, 1"
        return [f"x.transpose({axes})"]
    if op.maps == 1 and found[-2:] == tuple(op.size) and len(found) in (2, 3):
        return [
            "x[..., None] adds the axis of maps" if op.layout == "nhwc" else "x[..., None, :, :]"
        ]
    return []
