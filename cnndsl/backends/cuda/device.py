"""A GPU, driven through NVIDIA's driver interface."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.availability import initialised_driver, require_architecture
from cnndsl.backends.cuda.calls import Calls, Handle
from cnndsl.backends.cuda.driver import Function, Memory
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Extent
from cnndsl.backends.cuda.library import load_code
from cnndsl.cache import FileCache, default_directory
from cnndsl.errors import TargetError

_FLOAT_BYTES = 4
_ALL_SHARED_PERCENT = 100


@dataclass(frozen=True, slots=True, weakref_slot=True)
class DeviceMemory:
    """Memory of a device's from an address on."""

    address: int

    def at(self, offset: int) -> int:
        """The address of the float number `offset`."""
        return self.address + _FLOAT_BYTES * offset


class Device:
    """
    The first GPU that the process sees, in its primary context: other libraries use that one too.

    `api` is `cuda.bindings.driver`. Safe to use from several threads, for one stream from one at a
    time. Memory, streams and graphs go when nobody holds them any more.
    """

    records = True

    def __init__(self, api: Any, cache: FileCache) -> None:
        self._api = api
        self._cache = cache
        self._lock = threading.Lock()
        self._functions: dict[Kernel, Function] = {}
        self._calls = Calls(api)
        self._here, self._ordinal = self._calls.here, self._calls.device
        self._gpu = self._describe()
        require_architecture(self._gpu.name, self._gpu.architecture)

    @property
    def gpu(self) -> Gpu:
        """What is known of it."""
        return self._gpu

    # ---- memory

    def free_bytes(self) -> int:
        """Bytes of its memory that nobody uses now."""
        free, _ = self._here("cuMemGetInfo")
        return int(free)

    def allocate(self, count: int) -> DeviceMemory:
        """Memory for so many floats."""
        (address,) = self._here("cuMemAlloc", _FLOAT_BYTES * max(1, count))
        memory = DeviceMemory(int(address))
        self._calls.when_gone(memory, "cuMemFree", address)
        return memory

    def allocate_within(self, stream: Handle, count: int) -> DeviceMemory:
        """Memory whose life is a part of a stream's work: nothing waits for it."""
        (address,) = self._here("cuMemAllocAsync", _FLOAT_BYTES * max(1, count), stream.value)
        memory = DeviceMemory(int(address))
        self._calls.when_gone(memory, "cuMemFreeAsync", address, stream.value)
        return memory

    def upload(self, array: NDArray[Any]) -> DeviceMemory:
        """Memory with the elements of an array of 4 bytes each."""
        given = np.ascontiguousarray(array)
        memory = self.allocate(given.size)
        self._here("cuMemcpyHtoD", memory.address, given.ctypes.data, given.nbytes)
        # From memory that is not pinned the call returns once the data is staged, and our streams
        # wait for no other ("API synchronization behavior" of the driver's manual).
        self._here("cuStreamSynchronize", self._api.CUstream(0))
        return memory

    def borrow(self, address: int) -> DeviceMemory:
        """Memory of somebody else's. Raises `TargetError` for that of another GPU."""
        key = self._api.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
        (ordinal,) = self._here("cuPointerGetAttribute", key, address)
        if int(ordinal) != int(self._ordinal):
            raise TargetError(
                f"an array lies on GPU {int(ordinal)}, and the network on GPU {int(self._ordinal)}",
                code="E702",
                fixes=['x.to("cuda:0"), in PyTorch', "CUDA_VISIBLE_DEVICES, to choose a GPU"],
            )
        return DeviceMemory(address)

    def pinned(self, count: int) -> NDArray[np.float32]:
        """Floats of the host's that the device can copy by itself."""
        (address,) = self._here("cuMemHostAlloc", _FLOAT_BYTES * max(1, count), 0)
        memory = (ctypes.c_float * count).from_address(int(address))
        self._calls.when_gone(memory, "cuMemFreeHost", address)
        return np.ctypeslib.as_array(memory)

    # ---- work

    def function(self, kernel: Kernel) -> Function:
        """A kernel, compiled and loaded once."""
        with self._lock:
            if kernel not in self._functions:
                code = load_code(kernel, self._gpu.architecture, self._cache)
                (module,) = self._here("cuModuleLoadData", code)
                (code,) = self._here("cuModuleGetFunction", module, kernel.symbol.encode())
                if kernel.shared_bytes:
                    # What is more than 48 KiB has to be asked for before the first launch. Of the
                    # memory that the first cache shares, as much as there is: more blocks fit then.
                    known = self._api.CUfunction_attribute
                    key = known.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
                    self._here("cuFuncSetAttribute", code, key, kernel.shared_bytes)
                    key = known.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT
                    self._here("cuFuncSetAttribute", code, key, _ALL_SHARED_PERCENT)
                self._functions[kernel] = Function(code, kernel.shared_bytes)
            return self._functions[kernel]

    def stream(self) -> Handle:
        """A stream that waits for no other."""
        (stream,) = self._here("cuStreamCreate", self._api.CUstream_flags.CU_STREAM_NON_BLOCKING)
        return self._calls.held(stream, "cuStreamDestroy")

    def foreign_stream(self, handle: int) -> Handle:
        """Somebody else's stream; 0 is the default one."""
        return Handle(self._api.CUstream(handle))

    def launch(
        self,
        stream: Handle,
        function: Function,
        extents: tuple[Extent, Extent],
        pointers: tuple[int, ...],
        shape: tuple[int | float, ...],
    ) -> None:
        """Start a kernel."""
        grid, block = extents
        kinds = [ctypes.c_float if isinstance(n, float) else ctypes.c_int32 for n in shape]
        parameters = (*pointers, *shape), (*[ctypes.c_void_p] * len(pointers), *kinds)
        sizes = *grid, *block, function.shared_bytes
        self._here("cuLaunchKernel", function.code, *sizes, stream.value, parameters, 0)

    def copy_in(self, stream: Handle, to: Memory, of: NDArray[np.float32]) -> None:
        """Copy pinned floats to the device."""
        self._here("cuMemcpyHtoDAsync", to.at(0), of.ctypes.data, of.nbytes, stream.value)

    def copy_out(self, stream: Handle, to: NDArray[np.float32], of: Memory) -> None:
        """Copy floats of the device's to pinned ones."""
        self._here("cuMemcpyDtoHAsync", to.ctypes.data, of.at(0), to.nbytes, stream.value)

    def record(self, stream: Handle, work: Callable[[], None]) -> Handle:
        """What `work` puts into the stream, as a graph."""
        # Only this thread is held to what a recording allows: others allocate meanwhile.
        mode = self._api.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._calls.postpone()
        try:
            self._here("cuStreamBeginCapture", stream.value, mode)
            try:
                work()
            except BaseException:
                # A call that is refused spoils the recording, and its end says nothing else.
                with suppress(TargetError):
                    self._here("cuGraphDestroy", *self._here("cuStreamEndCapture", stream.value))
                raise
            (graph,) = self._here("cuStreamEndCapture", stream.value)
        finally:
            self._calls.catch_up()
        try:
            (executable,) = self._here("cuGraphInstantiate", graph, 0)
        finally:
            self._here("cuGraphDestroy", graph)
        return self._calls.held(executable, "cuGraphExecDestroy")

    def replay(self, stream: Handle, graph: Handle) -> None:
        """Do what was recorded."""
        self._here("cuGraphLaunch", graph.value, stream.value)

    def follow(
        self, stream: Handle, graph: Handle, before: Handle | None, again: Handle | None
    ) -> Handle:
        """Do what was recorded when a moment has passed; the moment when that is done."""
        # A call on arrays of the device's is little more than this, so it enters the context once.
        calls, again = self._calls, again or self._event()
        foreign = calls.enter()
        try:
            if before is not None:
                calls.plain("cuStreamWaitEvent", stream.value, before.value, 0)
            calls.plain("cuGraphLaunch", graph.value, stream.value)
            calls.plain("cuEventRecord", again.value, stream.value)
        finally:
            if foreign is not None:
                calls.leave(foreign)
        return again

    def mark(self, stream: Handle) -> Handle:
        """The moment when all that was put into the stream is done."""
        event = self._event()
        self._here("cuEventRecord", event.value, stream.value)
        return event

    def _event(self) -> Handle:
        (event,) = self._here("cuEventCreate", self._api.CUevent_flags.CU_EVENT_DISABLE_TIMING)
        return self._calls.held(event, "cuEventDestroy")

    def wait_for(self, stream: Handle, event: Handle) -> None:
        """Let the stream's further work wait for a moment."""
        self._here("cuStreamWaitEvent", stream.value, event.value, 0)

    def wait(self, stream: Handle) -> None:
        """Return when all that was put into the stream is done."""
        self._here("cuStreamSynchronize", stream.value)

    # ---- time

    def tick(self, stream: Handle) -> Handle:
        """A moment of a stream's, whose time `seconds_between` can tell."""
        (event,) = self._here("cuEventCreate", self._api.CUevent_flags.CU_EVENT_DEFAULT)
        self._here("cuEventRecord", event, stream.value)
        return self._calls.held(event, "cuEventDestroy")

    def seconds_between(self, first: Handle, last: Handle) -> float:
        """The time from one moment to another, both past."""
        (milliseconds,) = self._here("cuEventElapsedTime", first.value, last.value)
        return float(milliseconds) * 1e-3

    def clock_hertz(self) -> float:
        """The highest clock of its processors."""
        key = self._api.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CLOCK_RATE
        (kilohertz,) = self._here("cuDeviceGetAttribute", key, self._ordinal)
        return float(kilohertz) * 1e3

    def _describe(self) -> Gpu:
        attributes = self._api.CUdevice_attribute

        def attribute(name: str) -> int:
            key = getattr(attributes, f"CU_DEVICE_ATTRIBUTE_{name}")
            (value,) = self._here("cuDeviceGetAttribute", key, self._ordinal)
            return int(value)

        (name,) = self._here("cuDeviceGetName", 256, self._ordinal)
        return Gpu(
            bytes(name).rstrip(b"\0").decode(),
            (
                attribute("COMPUTE_CAPABILITY_MAJOR"),
                attribute("COMPUTE_CAPABILITY_MINOR"),
            ),
            attribute("MULTIPROCESSOR_COUNT"),
            attribute("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
        )


@cache
def shared_device() -> Device:
    """The GPU of this process. Raises `CnnError` where there is none that can be used."""
    return Device(initialised_driver(), FileCache(default_directory()))
