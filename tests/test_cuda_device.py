"""The calls that a GPU's driver gets, with a driver that writes them down."""

import ctypes
import gc
import threading
from dataclasses import replace
from enum import Enum
from types import SimpleNamespace

import numpy as np
import pytest
from graphs import graph_of

from cnndsl.backends.cuda import backend as backends
from cnndsl.backends.cuda import device
from cnndsl.backends.cuda.backend import CudaBackend
from cnndsl.backends.cuda.device import Device
from cnndsl.backends.cuda.driver import Function
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.protocol import Request
from cnndsl.cache import FileCache
from cnndsl.errors import TargetError
from cnndsl.plan.build import make_plan

KERNEL = Kernel("gather", "runs")
CODE = Function(7, 0)


class Result(Enum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_INITIALIZED = 3
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_ILLEGAL_ADDRESS = 700
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901
    CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905


class FakeApi:
    """`cuda.bindings.driver` without a driver: `calls` were made, and those `refused` fail."""

    CUresult = Result
    CUstream = int
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUevent_flags = SimpleNamespace(CU_EVENT_DISABLE_TIMING=2, CU_EVENT_DEFAULT=0)
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1)
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major",
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor",
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT="processors",
        CU_DEVICE_ATTRIBUTE_CLOCK_RATE="clock",
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN="shared",
    )
    CUpointer_attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL="ordinal")
    CUfunction_attribute = SimpleNamespace(
        CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES="most",
        CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT="carveout",
    )

    def __init__(self, major=9, minor=0, devices=1):
        self.attributes = {"major": major, "minor": minor, "processors": 132}
        self.attributes |= {"shared": 232448, "clock": 1_000_000}
        self.calls, self.refused, self.devices, self.handles = [], {}, devices, 100
        self.host, self.version, self.lies_on, self.current = [], 13000, 0, 0

    def __getattr__(self, name):
        if not name.startswith("cu"):
            raise AttributeError(name)

        def call(*arguments):
            if name == "cuCtxSetCurrent":
                (self.current,) = arguments
            elif name == "cuCtxGetCurrent":
                return Result.CUDA_SUCCESS, self.current
            else:
                self.calls.append((name, *arguments))
            return self.refused.get(name, Result.CUDA_SUCCESS), *self._results(name, arguments)

        return call

    def _results(self, name, arguments):
        match name:
            case "cuDriverGetVersion":
                return [self.version]
            case "cuDeviceGetCount":
                return [self.devices]
            case "cuDeviceGetAttribute":
                return [self.attributes[arguments[0]]]
            case "cuDeviceGet":
                return [0]
            case "cuPointerGetAttribute":
                return [self.lies_on]
            case "cuDeviceGetName":
                return [b"Fake GPU\0\0"]
            case "cuEventElapsedTime":
                return [0.5]
            case "cuMemGetInfo":
                return [12, 24]
            case "cuMemHostAlloc":
                self.host.append((ctypes.c_char * arguments[0])())
                return [ctypes.addressof(self.host[-1])]
        makes = ("Create", "Alloc", "Get", "Retain", "Load", "EndCapture", "Instantiate")
        if any(word in name for word in makes):
            self.handles += 1
            return [self.handles]
        return []

    def names(self):
        return [name for name, *_ in self.calls]


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def gpu(api, tmp_path):
    made = Device(api, FileCache(tmp_path))
    api.calls.clear()
    return made


def test_a_device_says_what_launches_need_to_know(gpu):
    assert (gpu.gpu.name, gpu.gpu.architecture, gpu.gpu.processors) == ("Fake GPU", (9, 0), 132)
    assert gpu.gpu.shared_bytes == 232448  # what a block may ask for
    assert gpu.free_bytes() == 12


def test_a_recording_becomes_a_graph_that_is_launched(gpu, api):
    stream = gpu.stream()
    api.calls.clear()
    extents = (2, 1, 1), (8, 1, 1)
    graph = gpu.record(stream, lambda: gpu.launch(stream, CODE, extents, (64,), (3,)))
    gpu.replay(stream, graph)
    assert api.names() == [
        *["cuStreamBeginCapture", "cuLaunchKernel", "cuStreamEndCapture"],
        *["cuGraphInstantiate", "cuGraphDestroy", "cuGraphLaunch"],
    ]
    assert api.calls[-1][1:] == (graph.value, stream.value)


def test_a_recording_that_fails_is_ended_all_the_same(gpu, api):
    stream = gpu.stream()
    api.refused["cuLaunchKernel"] = Result.CUDA_ERROR_ILLEGAL_ADDRESS
    api.refused["cuStreamEndCapture"] = Result.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
    # The end of a recording says only that it is spoilt, not by what.
    with pytest.raises(TargetError, match="refuses cuLaunchKernel: CUDA_ERROR_ILLEGAL_ADDRESS"):
        gpu.record(stream, lambda: gpu.launch(stream, CODE, ((1, 1, 1), (1, 1, 1)), (), ()))
    assert "cuStreamEndCapture" in api.names()


def test_a_recording_that_makes_no_graph_is_given_back(gpu, api):
    stream = gpu.stream()
    api.refused["cuGraphInstantiate"] = Result.CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(TargetError, match="refuses cuGraphInstantiate"):
        gpu.record(stream, lambda: None)
    assert api.names()[-1] == "cuGraphDestroy"


def test_memory_that_is_not_there_after_all_is_said_to_be_missing(gpu, api):
    api.refused["cuMemAlloc"] = Result.CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(TargetError, match="refuses cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY") as caught:
        gpu.allocate(1 << 40)
    assert caught.value.code == "E703"
    assert "fix: smaller batches" in str(caught.value)


def test_a_process_that_is_a_fork_is_told_so(gpu, api):
    api.refused["cuMemGetInfo"] = Result.CUDA_ERROR_NOT_INITIALIZED
    with pytest.raises(TargetError, match="method spawn, for a fork has no GPU"):
        gpu.free_bytes()


def test_a_call_within_somebody_else_s_recording_is_told_to_leave_it(gpu, api):
    stream = gpu.stream()
    graph = gpu.record(stream, lambda: None)
    api.refused["cuStreamWaitEvent"] = Result.CUDA_ERROR_STREAM_CAPTURE_ISOLATION
    with pytest.raises(TargetError, match="call the model outside of a recording"):
        gpu.follow(gpu.foreign_stream(7), graph, gpu.mark(stream), None)


def test_a_thread_keeps_the_gpu_that_it_was_at(gpu, api):
    stream, memory = gpu.stream(), gpu.allocate(4)
    graph, event = gpu.record(stream, lambda: None), gpu.mark(stream)
    own = api.current
    api.current = another = own + 1000
    gpu.free_bytes()
    gpu.follow(stream, graph, event, event)
    api.refused["cuGraphLaunch"] = Result.CUDA_ERROR_ILLEGAL_ADDRESS
    with pytest.raises(TargetError):
        gpu.follow(stream, graph, event, event)
    del memory
    gc.collect()
    assert api.names()[-1] == "cuMemFree"
    assert api.current == another
    api.current = 0  # a thread that is at none
    gpu.free_bytes()
    assert api.current == own


@pytest.mark.parametrize("call", ["cuStreamBeginCapture", "cuStreamEndCapture"])
def test_after_a_recording_that_is_refused_memory_is_given_back_at_once(gpu, api, call):
    stream, memory = gpu.stream(), gpu.allocate(4)
    api.refused[call] = Result.CUDA_ERROR_ILLEGAL_ADDRESS
    with pytest.raises(TargetError, match=f"refuses {call}"):
        gpu.record(stream, lambda: None)
    del memory
    gc.collect()
    assert api.names()[-1] == "cuMemFree"


def test_a_launch_passes_addresses_int32_and_float32(gpu, api):
    stream = gpu.stream()
    gpu.launch(stream, Function(7, 512), ((2, 3, 1), (8, 4, 1)), (64, 128), (3, 0.5))
    (_, function, *sizes, put_into, parameters, _) = api.calls[-1]
    assert put_into == stream.value
    assert (function, sizes) == (7, [2, 3, 1, 8, 4, 1, 512])
    kinds = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_float)
    assert parameters == ((64, 128, 3, 0.5), kinds)


def test_what_nobody_holds_any_more_is_given_back(gpu, api):
    memory, stream, event = gpu.allocate(4), gpu.stream(), None
    event = gpu.mark(stream)
    graph, pinned = gpu.record(stream, lambda: None), gpu.pinned(3)
    assert pinned.shape == (3,)
    handles = memory.address, stream.value, event.value, graph.value
    del memory, stream, event, graph, pinned
    gc.collect()
    freed = {name: arguments for name, *arguments in api.calls[-5:]}
    assert set(freed) == {
        *["cuMemFree", "cuStreamDestroy", "cuEventDestroy", "cuGraphExecDestroy", "cuMemFreeHost"]
    }
    assert handles[0] in freed["cuMemFree"]


def test_what_goes_while_a_graph_is_recorded_is_given_back_behind_it(gpu, api):
    stream, others = gpu.stream(), [gpu.allocate(4), gpu.allocate(4)]
    api.calls.clear()

    def work():
        freeing = threading.Thread(target=others.pop)  # another thread does not record
        freeing.start()
        freeing.join()
        others.clear()
        gc.collect()
        gpu.launch(stream, CODE, ((1, 1, 1), (1, 1, 1)), (), ())

    gpu.record(stream, work)
    names = api.names()
    assert names.count("cuMemFree") == 2
    assert names[:2] == ["cuStreamBeginCapture", "cuMemFree"]
    assert names.index("cuMemFree", 2) > names.index("cuStreamEndCapture")


def test_what_follows_a_moment_uses_its_event_once_more(gpu, api):
    stream = gpu.stream()
    graph, event = gpu.record(stream, lambda: None), gpu.mark(stream)
    api.calls.clear()
    assert gpu.follow(stream, graph, event, event) is event
    assert api.calls == [
        ("cuStreamWaitEvent", stream.value, event.value, 0),
        ("cuGraphLaunch", graph.value, stream.value),
        ("cuEventRecord", event.value, stream.value),
    ]
    api.calls.clear()
    first = gpu.follow(stream, graph, None, None)
    assert first is not event
    assert api.names() == ["cuEventCreate", "cuGraphLaunch", "cuEventRecord"]


def test_an_array_is_uploaded_whole(gpu, api):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    memory = gpu.upload(array)
    assert api.calls[0] == ("cuMemAlloc", 24)
    assert api.calls[1][0::3] == ("cuMemcpyHtoD", 24)
    # Of memory that is not pinned the copy is only staged when the call returns.
    assert api.calls[2:] == [("cuStreamSynchronize", 0)]
    assert memory.at(2) == memory.address + 8


def test_memory_of_another_gpu_is_refused_before_a_kernel_reads_it(gpu, api):
    assert gpu.borrow(4096).at(1) == 4100
    assert api.calls == [("cuPointerGetAttribute", "ordinal", 4096)]
    api.lies_on = 1
    with pytest.raises(TargetError, match="an array lies on GPU 1, and the network on GPU 0"):
        gpu.borrow(4096)


def test_a_kernel_is_loaded_once(gpu, api, monkeypatch):
    monkeypatch.setattr(device, "load_code", lambda kernel, architecture, cache: b"code")
    assert gpu.function(KERNEL) == gpu.function(KERNEL)
    assert api.names() == ["cuModuleLoadData", "cuModuleGetFunction"]
    assert api.calls[1][2] == b"cnndsl_runs"


def test_shared_memory_that_launches_bring_is_asked_for_when_a_kernel_is_loaded(
    gpu, api, monkeypatch
):
    monkeypatch.setattr(device, "load_code", lambda kernel, architecture, cache: b"code")
    large = replace(KERNEL, shared_bytes=100_000)
    function = gpu.function(large)
    assert function.shared_bytes == 100_000
    assert api.calls[-2:] == [
        ("cuFuncSetAttribute", function.code, "most", 100_000),
        ("cuFuncSetAttribute", function.code, "carveout", 100),
    ]


def test_steps_are_timed_between_events(gpu, api, monkeypatch):
    plan = make_plan(
        graph_of(
            ("x", "input maps=2 size=3x4", ""),
            ("p", "maxpool kernel=2 stride=1", "x"),
            ("s", "activation activation=softmax", "p"),
        ),
        CudaBackend().choose,
    )
    monkeypatch.setattr(device, "load_code", lambda kernel, architecture, cache: b"code")
    monkeypatch.setattr(backends, "find_device", lambda: gpu)
    timer = CudaBackend().step_timer(Request(plan, {}, 1))
    assert [len(kernels) for kernels in timer.kernels(2)] == [1, 1]
    times = timer.times((np.zeros((2, 3, 4, 2), np.float32),), 0.0)
    assert times.shape[1] == 2
    assert (times > 0).all()
    assert CudaBackend().roof(1).gigabytes > 0
