"""A compiled model: the face that callers see."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.protocol import DeviceExecutable, Executable
from cnndsl.batches import as_batches, in_order, lies_on_device
from cnndsl.errors import CnnError, InputError
from cnndsl.files import require_path
from cnndsl.interop.artifact import write_artifact
from cnndsl.ir.signature import Shape, Signature, only
from cnndsl.ops.input import Input
from cnndsl.parameters import FloatArray, Weights
from cnndsl.types import Options

if TYPE_CHECKING:  # a model that was found compiled spares the graph library until it is asked
    from cnndsl.ir.network import Network

# A small network feels how long a name of another module takes to be found.
_FLOAT32, _ndarray, _contiguous = np.dtype(np.float32), np.ndarray, np.ascontiguousarray


class Model:
    """
    A network, its weights and the code that runs it.

    Call it with images. It may be called from several threads at once, and after a fork.
    """

    def __init__(
        self,
        network: Callable[[], Network],
        *,
        signature: Signature,
        weights: Mapping[str, FloatArray],
        labels: tuple[str, ...] | None,
        executable: Executable,
        target: str,
        threads: int,
        options: Options,
    ) -> None:
        self._network = network
        self.signature = signature
        """The input rows' operators and the outputs' types, by name."""
        self.weights = Weights(weights)
        """Each row's parameters, `C1.weight`, `C1.bias`, ..., as read-only float32 arrays."""
        self.labels = labels
        """The classes' names, where the input row names a file of them."""
        self.target = target
        self.threads = threads
        self.options = options
        """How exactly it computes: `numerics`, `dense_weights` and `precision`."""
        self.inputs = signature.input_shapes
        """One image of each input by its row's name, in the row's layout and in the rows' order."""
        self.outputs = signature.output_shapes
        """One image's results by their rows' names, in the first input's layout, in order."""
        self._executable = executable
        self._execute = executable.__call__  # bound once: Python looks for it at every call else
        self._on_device = executable if isinstance(executable, DeviceExecutable) else None
        # None where there are several, so that no array has it.
        self._only_shape = self.input_shape if len(self.inputs) == 1 else None
        self._one = None if self._only_shape is None else (1, *self._only_shape)

    @cached_property
    def network(self) -> Network:
        """The network. A model that was found compiled parses its table only when asked."""
        return self._network()

    @property
    def input(self) -> Input:
        """The input row's operator: size, layout and what a picture needs. For one input."""
        return self.signature.input

    @property
    def input_shape(self) -> Shape:
        """One image as the input row wants it, for a network with one input."""
        return only(self.inputs, "inputs")

    @property
    def output_shape(self) -> Shape:
        """One image's output, for a network with one output."""
        return only(self.outputs, "outputs")

    def __repr__(self) -> str:
        ends = (
            ", ".join("x".join(map(str, shape)) for shape in shapes.values())
            for shapes in (self.inputs, self.outputs)
        )
        how = f"{self.target}, threads={self.threads}{self.options}"
        return f"<cnndsl.Model {' -> '.join(ends)}, {how}>"

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """
        The network's output for a batch of images, or for one.

        An input is `[n, height, width, maps]`, or `[n, maps, height, width]` where its row says
        `layout=nchw`, of any batch size; or one image without the batch axis, whose output then
        has none either. Other floats are converted to float32, and so are integers unless the row
        says how a picture's are scaled (`preprocess` does so). A network with several
        inputs is called with an array for each, of the same batch size, in the order of their rows
        or by name: `model(left=x, right=y)`. One output is an array; several are a tuple of them,
        in the order of `outputs`. An array that lies on a GPU is read there: see `on_device`.
        Raises `InputError`.
        """
        # The common case first: it costs some comparisons.
        if len(inputs) == 1 and not named:
            x = inputs[0]
            if type(x) is _ndarray and x.dtype is _FLOAT32:
                shape = x.shape
                if shape == self._one or (shape[1:] == self._only_shape and shape[0] > 0):
                    results = self._execute((_contiguous(x),))
                    return results[0] if len(results) == 1 else results
        return self._converted(*in_order(inputs, named, self.signature.inputs))

    def on_device(self, *inputs: Any, out: Any = None, stream: Any = None) -> Any:
        """
        The network's output for a batch that lies on a GPU, there, without a copy.

        For the target cuda. Inputs are float32 arrays of PyTorch's, CuPy's or another library's
        that tells `__cuda_array_interface__` or DLPack. The result is written into `out`, an array
        or a tuple of them, or into a new array that `torch.as_tensor` and the like take as it
        stands. The work is put into `stream`, a library's stream or its handle, by default the
        first input's, and need not be done when this returns. Raises `InputError`, `TargetError`.
        """
        if self._on_device is None:
            raise InputError(
                f"the input lies on a device, and the model runs on {self.target}",
                fixes=['target="cuda"', "x.cpu(), in PyTorch"],
            )
        given: tuple[Any, ...] = () if out is None else (out,)
        if isinstance(out, tuple):
            given = cast("tuple[Any, ...]", out)
        results = self._on_device.on_device(inputs, given, stream)
        return results[0] if len(results) == 1 else results

    def _converted(self, *inputs: Any) -> Any:
        """The outputs for anything that can be read as images."""
        if any(lies_on_device(x) for x in inputs):
            return self.on_device(*inputs)
        batches, single = as_batches(inputs, self.signature.inputs)
        if len(batches[0]) == 0:
            results = tuple(np.empty((0, *y), np.float32) for y in self.outputs.values())
        else:
            results = self._executable(batches)
        if single:
            results = tuple(y[0] for y in results)
        return results[0] if len(results) == 1 else results

    def outputs_of(self, *inputs: Any, **named: Any) -> tuple[NDArray[Any], ...]:
        """The outputs of a call as a tuple, also where there is only one."""
        y = self(*inputs, **named)
        return (y,) if len(self.outputs) == 1 else y

    def __copy__(self) -> Model:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self  # nothing of it changes

    def __reduce__(self) -> NoReturn:
        raise CnnError(
            "a model is not pickled: machine code and threads belong to a process",
            fixes=['model.save("model.cnnm") here, cnndsl.load("model.cnnm") in the other process'],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, `.cnnm`, that `cnndsl.load` reads. Raises `FileError`."""
        require_path(path, "a model is saved to a file's path", 'model.save("model.cnnm")')
        # Imported here: a process that only runs models spares the parser.
        from cnndsl.frontend.format import format_text

        text = format_text(self.network.whole or self.network.source)
        write_artifact(Path(path), text, self.weights, self.labels)
