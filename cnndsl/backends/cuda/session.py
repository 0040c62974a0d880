"""The memory that one caller at a time runs a program in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.driver import Driver, Event, Function, Graph, Memory, Stream
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import ARENA, SCRATCH, Argument, Constant, Launch, Region
from cnndsl.backends.cuda.program import Program

# Graphs kept for callers' own arrays: callers use the same few again and again.
GRAPHS_KEPT = 8

FloatArray = NDArray[np.float32]


class Constants:
    """A network's weights and tables on the device, each array once."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._memory: dict[int, tuple[Constant, Memory]] = {}

    def bring(self, constants: Iterable[Constant]) -> None:
        """Copy those to the device that are not there."""
        for constant in constants:
            # The array is kept too, so that no other one comes to have its identity.
            if id(constant.array) not in self._memory:
                self._memory[id(constant.array)] = constant, self._driver.upload(constant.array)

    def missing_bytes(self, constants: Iterable[Constant]) -> int:
        """What it takes to bring them."""
        missing = [c.array for c in constants if id(c.array) not in self._memory]
        return sum(array.nbytes for array in missing)

    def __getitem__(self, constant: Constant) -> Memory:
        return self._memory[id(constant.array)][1]


@dataclass(slots=True)
class _Ports:
    """A caller's arrays: pinned on the host, and on the device; the graph goes from end to end."""

    host_inputs: list[FloatArray]
    host_outputs: list[FloatArray]
    inputs: list[Memory]
    outputs: list[Memory]
    graph: Graph | None = None


class Session:
    """
    A program with memory and a stream of its own.

    One caller at a time may use it; callers at once need a session each. What a caller has started
    need not be done when the next one comes: the device then waits, not the caller.
    """

    def __init__(
        self,
        program: Program,
        driver: Driver,
        functions: Mapping[Kernel, Function],
        constants: Constants,
    ) -> None:
        constants.bring(program.constants)
        self._program = program
        self._driver = driver
        self._functions = functions
        self._constants = constants
        self._own = {
            ARENA: driver.allocate(max(1, program.arena)),
            SCRATCH: driver.allocate(max(1, program.scratch)),
        }
        self._stream = driver.stream()
        self._event: Event | None = None
        self._is_awaited = True  # whether what the event stands for needs no more waiting
        self._ports: _Ports | None = None
        self._graphs: OrderedDict[tuple[int, ...], Graph] = OrderedDict()

    def start(self, inputs: Sequence[FloatArray]) -> None:
        """Begin to compute the outputs for images of the host's; `finish` gives them."""
        ports = self._ports = self._ports or self._make_ports()
        for host, x in zip(ports.host_inputs, inputs, strict=True):
            host[:] = x.reshape(-1)
        self._after_the_last(self._stream)
        if ports.graph is None:
            ports.graph = self._driver.record(self._stream, lambda: self._end_to_end(ports))
        self._driver.replay(self._stream, ports.graph)

    def finish(self) -> list[FloatArray]:
        """The outputs for the images that were started last, in arrays of their own."""
        assert self._ports is not None
        self._driver.wait(self._stream)
        return [host.copy() for host in self._ports.host_outputs]

    def run(self, inputs: Sequence[int], outputs: Sequence[int], stream: Stream) -> None:
        """
        Put the network into a caller's stream.

        `inputs` and `outputs` are addresses of the caller's arrays on the device.
        """
        key = (*inputs, *outputs)
        graph = self._graphs.pop(key, None)
        if graph is None:
            x, y = (list(map(self._driver.borrow, addresses)) for addresses in (inputs, outputs))
            graph = self._driver.record(self._stream, lambda: self._launch_all(x, y))
        self._graphs[key] = graph  # the last used comes last
        while len(self._graphs) > GRAPHS_KEPT:
            self._graphs.popitem(last=False)
        before = None if self._is_awaited else self._event
        self._event = self._driver.follow(stream, graph, before, self._event)
        self._is_awaited = False

    def trace(self, inputs: Sequence[FloatArray], after: Callable[[int], None]) -> None:
        """Run launch by launch, and tell when each, by its number from 1, is in the stream."""
        ports = self._ports = self._ports or self._make_ports()
        for host, x in zip(ports.host_inputs, inputs, strict=True):
            host[:] = x.reshape(-1)
        for to, of in zip(ports.inputs, ports.host_inputs, strict=True):
            self._driver.copy_in(self._stream, to, of)
        after(0)
        self._launch_all(ports.inputs, ports.outputs, after)
        self._driver.wait(self._stream)

    @property
    def stream(self) -> Stream:
        """Where its work is put."""
        return self._stream

    def _after_the_last(self, stream: Stream) -> None:
        """Let a stream wait until the caller before is done with this memory."""
        if self._event is not None and not self._is_awaited:
            self._driver.wait_for(stream, self._event)
            self._is_awaited = True

    def _make_ports(self) -> _Ports:
        driver, program = self._driver, self._program
        return _Ports(
            [driver.pinned(floats) for floats in program.inputs],
            [driver.pinned(floats) for floats in program.outputs],
            [driver.allocate(floats) for floats in program.inputs],
            [driver.allocate(floats) for floats in program.outputs],
        )

    def _end_to_end(self, ports: _Ports) -> None:
        """All of a call: the images in, the launches, the results out."""
        for to, of in zip(ports.inputs, ports.host_inputs, strict=True):
            self._driver.copy_in(self._stream, to, of)
        self._launch_all(ports.inputs, ports.outputs)
        for to, of in zip(ports.host_outputs, ports.outputs, strict=True):
            self._driver.copy_out(self._stream, to, of)

    def _launch_all(
        self,
        inputs: Sequence[Memory],
        outputs: Sequence[Memory],
        after: Callable[[int], None] = lambda count: None,
    ) -> None:
        memory = dict(self._own)
        memory.update({Region("input", port): x for port, x in enumerate(inputs)})
        memory.update({Region("output", port): y for port, y in enumerate(outputs)})
        for count, launch in enumerate(self._program.launches, 1):
            self._launch(launch, memory)
            after(count)

    def _launch(self, launch: Launch, memory: Mapping[Region, Memory]) -> None:
        def pointer(argument: Argument) -> object:
            if isinstance(argument, Constant):
                return self._constants[argument].at(0)
            return memory[argument.region].at(argument.offset)

        self._driver.launch(
            self._stream,
            self._functions[launch.kernel],
            (launch.grid, launch.block),
            tuple(map(pointer, launch.arguments)),
            launch.shape,
        )
