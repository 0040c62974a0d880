"""A GPU, driven through NVIDIA's driver interface."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.availability import initialised_driver, require_architecture
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


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Handle:
    """A stream, an event or a graph of the driver's, by its own handle."""

    value: Any


class _Postponed(threading.local):
    """
    What a thread that records has to forget, None while it does not record.

    Garbage may be collected in the middle of a recording, and freeing memory there would spoil it.
    """

    calls: list[tuple[str, tuple[Any, ...]]] | None = None


class Device:
    """
    The first GPU that the process sees, in its primary context: other libraries use that one too.

    `api` is `cuda.bindings.driver`. Safe to use from several threads, for one stream from one at a
    time. Memory, streams and graphs go when nobody holds them any more.
    """

    records = True

    def __init__(self, api: Any, cache: FileCache) -> None:
        self._api = api
        self._success = api.CUresult.CUDA_SUCCESS
        self._cache = cache
        self._lock = threading.Lock()
        self._functions: dict[Kernel, Function] = {}
        self._postponed = _Postponed()
        (device,) = self._call("cuDeviceGet", 0)
        self._ordinal = device
        (self._context,) = self._call("cuDevicePrimaryCtxRetain", device)
        self._enter()
        self._gpu = self._describe(device)
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
        self._when_gone(memory, "cuMemFree", address)
        return memory

    def allocate_within(self, stream: Handle, count: int) -> DeviceMemory:
        """Memory whose life is a part of a stream's work: nothing waits for it."""
        (address,) = self._here("cuMemAllocAsync", _FLOAT_BYTES * max(1, count), stream.value)
        memory = DeviceMemory(int(address))
        self._when_gone(memory, "cuMemFreeAsync", address, stream.value)
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
        self._when_gone(memory, "cuMemFreeHost", address)
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
        return self._held(stream, "cuStreamDestroy")

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
        self._postponed.calls = []
        try:
            self._here("cuStreamBeginCapture", stream.value, mode)
            try:
                work()
            finally:
                (graph,) = self._here("cuStreamEndCapture", stream.value)
        finally:
            self._forget_the_postponed()
        (executable,) = self._here("cuGraphInstantiate", graph, 0)
        self._here("cuGraphDestroy", graph)
        return self._held(executable, "cuGraphExecDestroy")

    def replay(self, stream: Handle, graph: Handle) -> None:
        """Do what was recorded."""
        self._here("cuGraphLaunch", graph.value, stream.value)

    def mark(self, stream: Handle, again: Handle | None = None) -> Handle:
        """The moment when all that was put into the stream is done; `again` is used once more."""
        if again is None:
            (event,) = self._here("cuEventCreate", self._api.CUevent_flags.CU_EVENT_DISABLE_TIMING)
            again = self._held(event, "cuEventDestroy")
        self._here("cuEventRecord", again.value, stream.value)
        return again

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
        return self._held(event, "cuEventDestroy")

    def seconds_between(self, first: Handle, last: Handle) -> float:
        """The time from one moment to another, both past."""
        (milliseconds,) = self._here("cuEventElapsedTime", first.value, last.value)
        return float(milliseconds) * 1e-3

    def clock_hertz(self) -> float:
        """The highest clock of its processors."""
        key = self._api.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CLOCK_RATE
        (kilohertz,) = self._here("cuDeviceGetAttribute", key, self._ordinal)
        return float(kilohertz) * 1e3

    # ---- the driver's calls

    def _enter(self) -> None:
        """Make the device this thread's."""
        self._call("cuCtxSetCurrent", self._context)

    def _here(self, name: str, *arguments: Any) -> list[Any]:
        self._enter()
        return self._call(name, *arguments)

    def _call(self, name: str, *arguments: Any) -> list[Any]:
        """What a call of the driver gives besides its status. Raises `TargetError`."""
        status, *results = getattr(self._api, name)(*arguments)
        if status != self._success:
            raise TargetError(
                f"the GPU's driver refuses {name}: {status.name}",
                code="E704",
                fixes=["cnndsl doctor says which driver and which packages are installed"],
            )
        return results

    def _held(self, value: Any, destroy: str) -> Handle:
        """A handle that is destroyed when nobody holds it any more."""
        handle = Handle(value)
        self._when_gone(handle, destroy, value)
        return handle

    def _when_gone(self, owner: Any, name: str, *arguments: Any) -> None:
        """Call the driver when nobody holds `owner` any more, but not as the process ends."""
        weakref.finalize(owner, self._forget, name, *arguments).atexit = False

    def _forget(self, name: str, *arguments: Any) -> None:
        if self._postponed.calls is not None:
            self._postponed.calls.append((name, arguments))
            return
        # Whoever collects garbage cannot handle an error, and the context may be gone with it.
        self._api.cuCtxSetCurrent(self._context)
        getattr(self._api, name)(*arguments)

    def _forget_the_postponed(self) -> None:
        calls, self._postponed.calls = self._postponed.calls or [], None
        for name, arguments in calls:
            self._forget(name, *arguments)

    def _describe(self, device: Any) -> Gpu:
        attributes = self._api.CUdevice_attribute

        def attribute(name: str) -> int:
            key = getattr(attributes, f"CU_DEVICE_ATTRIBUTE_{name}")
            (value,) = self._call("cuDeviceGetAttribute", key, device)
            return int(value)

        (name,) = self._call("cuDeviceGetName", 256, device)
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
