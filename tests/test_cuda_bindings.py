"""What the device asks for is what NVIDIA's own functions take. No driver is needed to see it."""

from dataclasses import replace

import numpy as np
import pytest
from test_cuda_device import KERNEL, FakeApi

from cnndsl.backends.cuda import device
from cnndsl.backends.cuda.device import Device
from cnndsl.backends.cuda.driver import Function
from cnndsl.cache import FileCache

driver = pytest.importorskip("cuda.bindings.driver")

MADE = {
    "cuDeviceGet": "CUdevice",
    "cuDevicePrimaryCtxRetain": "CUcontext",
    "cuCtxGetCurrent": "CUcontext",
    "cuMemAlloc": "CUdeviceptr",
    "cuMemAllocAsync": "CUdeviceptr",
    "cuModuleLoadData": "CUmodule",
    "cuModuleGetFunction": "CUfunction",
    "cuStreamCreate": "CUstream",
    "cuStreamEndCapture": "CUgraph",
    "cuGraphInstantiate": "CUgraphExec",
    "cuEventCreate": "CUevent",
}
"""The types of the handles that functions make."""


class Bindings:
    """NVIDIA's functions: they read their arguments, and then find that there is no driver."""

    def __init__(self):
        self.fake, self.called = FakeApi(), set()

    def __getattr__(self, name):
        if name.startswith("CU"):
            return getattr(driver, name)

        def call(*arguments):
            self.called.add(name)
            with pytest.raises(RuntimeError, match="driver library"):
                getattr(driver, name)(*arguments)
            if name == "cuDeviceGetAttribute":
                return driver.CUresult.CUDA_SUCCESS, 9
            _, *results = getattr(self.fake, name)(*arguments)
            kind = getattr(driver, MADE[name]) if name in MADE else lambda result: result
            return driver.CUresult.CUDA_SUCCESS, *map(kind, results)

        return call


@pytest.fixture
def bindings():
    try:
        driver.cuInit(0)
    except RuntimeError:
        return Bindings()
    pytest.skip("here is a driver, which would do what it is told")


def use_all_of(gpu):
    stream, theirs = gpu.stream(), gpu.foreign_stream(7)
    memory, pinned = gpu.upload(np.zeros(3, np.float32)), gpu.pinned(3)
    within = gpu.allocate_within(theirs, 5)
    assert gpu.borrow(4096).address == 4096

    def work():
        gpu.copy_in(stream, memory, pinned)
        extents, pointers = ((1, 1, 1), (32, 1, 1)), (memory.at(0), within.at(2))
        function = gpu.function(replace(KERNEL, shared_bytes=100_000))
        gpu.launch(stream, function, extents, pointers, (-1, 0.5))
        gpu.copy_out(stream, pinned, memory)

    graph = gpu.record(stream, work)
    gpu.replay(theirs, graph)
    event = gpu.mark(theirs)
    gpu.wait_for(stream, event)
    assert gpu.follow(theirs, graph, event, event) is event
    gpu.wait(stream)
    assert gpu.free_bytes() == 12
    assert gpu.seconds_between(gpu.tick(stream), gpu.tick(stream)) == 5e-4
    assert gpu.clock_hertz() > 0


def test_every_call_has_the_arguments_that_the_bindings_take(bindings, tmp_path, monkeypatch):
    monkeypatch.setattr(device, "load_code", lambda kernel, architecture, cache: b"\x7fELF\0code")
    use_all_of(Device(bindings, FileCache(tmp_path)))
    freed = {"cuMemFree", "cuMemFreeAsync", "cuMemFreeHost", "cuStreamDestroy", "cuEventDestroy"}
    launches = {"cuFuncSetAttribute", "cuLaunchKernel", "cuGraphLaunch", "cuPointerGetAttribute"}
    assert {*MADE, *freed, *launches} <= bindings.called


def test_a_launch_with_a_wrong_argument_is_seen(bindings, tmp_path):
    gpu = Device(bindings, FileCache(tmp_path))
    function = Function(driver.CUfunction(1), 0)
    with pytest.raises(TypeError):
        gpu.launch(gpu.stream(), function, ((1, 1, 1), (1, 1, 1)), ("x",), ())
