"""A network on a device, for any batch size and any number of callers at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.arrays import DeviceArray, device_array, stream_handle
from cnndsl.backends.cuda.driver import Driver, Stream
from cnndsl.backends.cuda.launch import Lowered
from cnndsl.backends.cuda.program import (
    FLOAT_BYTES,
    Program,
    largest_batch,
    make_program,
)
from cnndsl.backends.cuda.session import Constants, Session
from cnndsl.errors import InputError, TargetError
from cnndsl.limits import format_bytes
from cnndsl.plan.plan import Plan

# Batch sizes whose memory is kept for the next call.
BATCH_SIZES_KEPT = 4
# Images of a large batch are copied while those before them are computed: slices of so many bytes,
# some microseconds of copying, in so many sessions that take turns.
SLICE_BYTES = 16 << 20
TURNS = 2

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Batch:
    """
    What is kept for one batch size.

    `free` are sessions that nobody uses. They are taken and given back in one step of the
    interpreter each, so that no lock is needed.
    """

    program: Program
    free: list[Session] = field(default_factory=list[Session])


class CudaExecutable:
    """
    Calls run in sessions: each call takes a free one of its batch size, or makes one.

    So callers at once do not meet, and a caller that comes back finds its memory and its graph.
    """

    def __init__(self, plan: Plan, lowered: Sequence[Lowered], driver: Driver) -> None:
        self._plan = plan
        self._lowered = lowered
        self._driver = driver
        self._constants = Constants(driver)
        self._batches: dict[int, _Batch] = {}
        self._lock = threading.Lock()
        self._largest = largest_batch(plan)
        self._image_bytes = FLOAT_BYTES * sum(make_program(plan, (), 1).inputs)
        self._inputs = [buffer.array_shape for buffer in plan.inputs]
        self._outputs = [buffer.array_shape for buffer in plan.outputs]
        self._give_back(1, self._take(1))  # compiles all kernels and brings the weights

    def __call__(self, inputs: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
        """The network's outputs for contiguous batches of the host's, all of one size."""
        batch = len(inputs[0])
        slices = self._slices(batch)
        if len(slices) == 1:
            return tuple(self._shaped(self._one(inputs, batch), batch))
        outputs = tuple(np.empty((batch, *shape), np.float32) for shape in self._outputs)
        waiting: list[tuple[slice, Session]] = []

        def finish_first() -> None:
            part, session = waiting.pop(0)
            count = part.stop - part.start
            for y, result in zip(outputs, self._shaped(session.finish(), count), strict=True):
                y[part] = result
            self._give_back(count, session)

        try:
            for part in slices:
                if len(waiting) == TURNS:
                    finish_first()
                try:
                    session = self._take(part.stop - part.start)
                except TargetError:  # where memory is short, slices do not take turns
                    if not waiting:
                        raise
                    finish_first()
                    session = self._take(part.stop - part.start)
                waiting.append((part, session))
                session.start([x[part] for x in inputs])
            while waiting:
                finish_first()
        except BaseException:
            # The device still writes to what the others hold.
            for _, session in waiting:
                with suppress(TargetError):
                    session.finish()
            raise
        return outputs

    def on_device(
        self, inputs: Sequence[Any], outputs: Sequence[Any], stream: Any
    ) -> tuple[DeviceArray, ...]:
        """
        Put the network into a stream, on arrays of the caller's on the device.

        `outputs` are arrays to write to; without any they are new. Without a stream it is that of
        the first input, or the device's default one. Raises `InputError` and `TargetError`.
        """
        reader = 0 if stream is None else stream_handle(stream)
        x = [device_array(array, "an input", reader) for array in inputs]
        batch = self._common_batch(x)
        handle = x[0].stream if stream is None else reader
        theirs = self._driver.foreign_stream(handle)
        y = [device_array(array, "an output", handle, writes=True) for array in outputs]
        for other in {array.stream for array in (*x, *y)}:
            if other not in (0, handle):
                done = self._driver.mark(self._driver.foreign_stream(other))
                self._driver.wait_for(theirs, done)
        shapes = [(batch, *shape) for shape in self._outputs]
        if y and [array.shape for array in y] != shapes:
            raise InputError(
                f"the outputs' shapes are {[array.shape for array in y]}, and the network writes "
                f"{shapes}"
            )
        for shape in shapes if not y else ():
            memory = self._driver.allocate_within(theirs, prod(shape))
            # A tuple lets go of its last part first: the memory is given back in a living stream.
            y.append(DeviceArray(memory.at(0), shape, handle, (stream, memory)))
        self.run([array.address for array in x], [array.address for array in y], batch, theirs)
        # Whoever reads them waits for this stream, whatever wrote to them before.
        return tuple(a if a.stream == handle else replace(a, stream=handle) for a in y)

    def run(
        self, inputs: Sequence[int], outputs: Sequence[int], batch: int, stream: Stream
    ) -> None:
        """Put the network into a stream, on arrays that are given by their addresses."""
        if batch > self._largest:
            raise TargetError(
                f"a batch of {batch} images on the device is more than {self._largest}, "
                "the most whose cells the kernels can count",
                code="E703",
                fixes=[f"batches of at most {self._largest} images"],
            )
        session = self._take(batch)
        session.run(inputs, outputs, stream)
        self._give_back(batch, session)

    def program(self, batch: int) -> Program:
        """What runs for a batch of that size."""
        return make_program(self._plan, self._lowered, batch)

    def _common_batch(self, arrays: Sequence[DeviceArray]) -> int:
        """How many images arrays of the caller's hold. Raises `InputError` where they differ."""
        batch = arrays[0].shape[0] if arrays[0].shape else 0
        for array, shape in zip(arrays, self._inputs, strict=True):
            if array.shape != (batch, *shape) or batch < 1:
                raise InputError(
                    f"an input's shape on the device is {list(array.shape)}, and the network reads "
                    f"[n, {', '.join(map(str, shape))}], the same n for all"
                )
        return batch

    def _one(self, inputs: Sequence[FloatArray], batch: int) -> list[FloatArray]:
        session = self._take(batch)
        session.start(inputs)
        outputs = session.finish()
        self._give_back(batch, session)
        return outputs

    def _slices(self, batch: int) -> list[slice]:
        """The parts of a batch that travel by themselves."""
        most = min(self._largest, max(1, SLICE_BYTES // max(1, self._image_bytes)))
        return [slice(first, min(first + most, batch)) for first in range(0, batch, most)]

    def _shaped(self, outputs: list[FloatArray], batch: int) -> list[FloatArray]:
        shapes = zip(outputs, self._outputs, strict=True)
        return [y.reshape(batch, *shape) for y, shape in shapes]

    def _take(self, size: int) -> Session:
        batch = self._batches.get(size) or self._prepared(size)
        try:
            return batch.free.pop()
        except IndexError:
            return self._session(batch.program)

    def _give_back(self, size: int, session: Session) -> None:
        batch = self._batches.get(size)
        if batch is not None:
            batch.free.append(session)

    def _prepared(self, size: int) -> _Batch:
        program = self.program(size)
        if len(self._batches) >= BATCH_SIZES_KEPT:
            for oldest in list(self._batches)[:1]:
                self._batches.pop(oldest, None)
        return self._batches.setdefault(size, _Batch(program))

    def _session(self, program: Program) -> Session:
        kernels = dict.fromkeys(launch.kernel for launch in program.launches)
        functions = {kernel: self._driver.function(kernel) for kernel in kernels}
        # One at a time: what two callers allocate at once might not fit, and constants are shared.
        with self._lock:
            self._check_memory(program)
            return Session(program, self._driver, functions, self._constants)

    def _check_memory(self, program: Program) -> None:
        """Raise `TargetError` where the device has not the memory that a program asks for."""
        weights = self._constants.missing_bytes(program.constants)
        needed, free = program.bytes + weights, self._driver.free_bytes()
        if needed > free:
            # What is kept for other batch sizes only spares the next call of theirs.
            for size in list(self._batches):  # at once, since other callers add some
                if size != program.batch:
                    self._batches.pop(size, None)
            free = self._driver.free_bytes()
        if needed <= free:
            return
        each = program.bytes // program.batch
        fits = (free - weights) // max(1, each)
        # Small batches may take more for an image: the sums of their splits.
        while fits > 0 and self.program(fits).bytes > free - weights:
            fits -= max(1, fits // 16)
        words = f"{format_bytes(weights)} of weights and " if weights else ""
        raise TargetError(
            f"{self._driver.gpu.name} has {format_bytes(free)} of free memory, and a batch of "
            f"{program.batch} needs {words}{format_bytes(program.bytes)} of values",
            code="E703",
            fixes=[f"batches of at most {fits} images"] if fits > 0 else ["a larger device"],
        )
