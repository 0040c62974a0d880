"""What the families of steps have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel, Parameter
from cnndsl.backends.cuda.launch import Constant, Launch, Lowered, over_cells, start_of
from cnndsl.backends.cuda.shapes.epilogue import Epilogue
from cnndsl.backends.cuda.shapes.tensor_core import QUAD
from cnndsl.ops.activation import Activation
from cnndsl.plan.plan import Buffer, Step
from cnndsl.types import PRECISIONS, Precision, TensorType

Params = Mapping[str, NDArray[np.float32]]
"""The parameters of one row by their short names: weight, bias."""

Lowering = Callable[[Step, Params, Gpu], list[Lowered]]
"""The kernel launches of a step, in order."""

Read = Buffer | NDArray[np.float32] | NDArray[np.int32]
"""What a kernel is given to read: a value, or an array that lies on the device."""


def plain_name(kernel: str) -> str:
    """The name of a step's kernel without its precision: `conv` of `conv_tf32`."""
    name, _, last = kernel.rpartition("_")
    return name if last in PRECISIONS else kernel


def precision_of(kernel: str) -> Precision:
    """The precision that the strategy has named a step's kernel for."""
    ending = kernel.removeprefix(f"{plain_name(kernel)}_")
    for precision in PRECISIONS:
        if precision == ending:
            return precision
    return "float32"


def epilogue_of(step: Step) -> Epilogue:
    """The activation function that is fused into a step's last launch."""
    for op in step.epilogue:
        if isinstance(op, Activation):
            return Epilogue.of(op.activation)
    return Epilogue()


def size_of(buffer: Buffer) -> int:
    """Cells of one image. No value has a halo here, so they touch."""
    return TensorType("f32", buffer.shape).size


def width_of(length: int, *buffers: Buffer) -> int:
    """
    How many neighbours a thread takes of values that are runs of so many cells: 4, or 1.

    Four where runs divide by it and all values start at a multiple of 16 bytes, in any batch.
    """
    starts = [start for buffer in buffers for start in (buffer.offset, buffer.origin)]
    return 1 if any(number % QUAD for number in (length, *starts)) else QUAD


@dataclass(frozen=True, slots=True)
class CellKernel:
    """
    A kernel whose threads walk over the cells of a batch.

    `shape` makes its NamedTuple of the number of cells in the batch. `constants` are the parameters
    of its factory before the activation. A thread takes `width` neighbours at a time.
    """

    module: str
    function: str
    shape: Callable[[int], tuple[int | float, ...]]
    constants: tuple[Parameter, ...] = ()
    width: int = 1

    def lowered(
        self,
        gpu: Gpu,
        reads: tuple[Read, ...],
        y: Buffer,
        epilogue: Epilogue | None,
        cells: int | None = None,
    ) -> Lowered:
        """
        The launch that reads `reads` and writes y.

        There are as many cells an image as y has, unless `cells` says so. Without an epilogue the
        factory takes no activation, or there is none.
        """
        activation = (epilogue.activation,) if epilogue else ()
        kernel = Kernel(self.module, self.function, (*self.constants, *activation))
        constants = {id(read): Constant(read) for read in reads if not isinstance(read, Buffer)}
        image = size_of(y) if cells is None else cells

        def launches(batch: int) -> list[Launch]:
            arguments = [
                start_of(read, batch) if isinstance(read, Buffer) else constants[id(read)]
                for read in reads
            ]
            grid, block = over_cells(batch * image // self.width, gpu)
            places = (*arguments, start_of(y, batch))
            return [Launch(kernel, grid, block, places, self.shape(batch * image))]

        return launches
