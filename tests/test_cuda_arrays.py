"""Arrays of callers' on the device, and their streams, with a device that writes down its calls."""

import gc
import weakref
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from test_cuda_runtime import GPU, PLAN, WEIGHTS, Block, FakeDriver

import cnndsl
from cnndsl.backends.cuda import arrays
from cnndsl.backends.cuda.arrays import stream_handle
from cnndsl.backends.cuda.backend import lower_plan
from cnndsl.backends.cuda.executable import CudaExecutable
from cnndsl.batches import lies_on_device
from cnndsl.errors import InputError


@pytest.fixture
def driver():
    return FakeDriver()


@pytest.fixture
def run(driver):
    executable = CudaExecutable(PLAN, lower_plan(PLAN, WEIGHTS, GPU), driver)
    driver.done.clear()
    return executable


@dataclass
class Tensor:
    """An array as another library has it on a device."""

    shape: tuple
    address: int = 1024
    typestr: str = "<f4"
    strides: tuple | None = None
    stream: int = 5

    @property
    def __cuda_array_interface__(self):
        data = (self.address, False)
        facts = {"shape": self.shape, "typestr": self.typestr, "data": data, "version": 3}
        return facts | {"strides": self.strides, "stream": self.stream}


def test_arrays_on_the_device_are_used_in_their_own_stream(run, driver):
    (y,) = run.on_device([Tensor((2, 4, 5, 3))], [Tensor((2, 3, 4, 3), 4096)], None)
    assert (y.address, y.shape) == (4096, (2, 3, 4, 3))
    assert driver.done[0][:2] == ("replay", "theirs5")


def test_a_stream_waits_for_the_one_that_writes_the_input(run, driver):
    run.on_device([Tensor((1, 4, 5, 3))], [Tensor((1, 3, 4, 3), 4096)], 9)
    assert driver.done[:2] == [("mark", "theirs5"), ("wait for", "theirs9", "event of theirs5")]
    assert driver.done[2][:2] == ("replay", "theirs9")


@pytest.mark.parametrize(("stream", "asked"), [(None, 1), (0, 1), (9, 9)])
def test_what_gives_itself_by_dlpack_lets_the_reading_stream_wait(monkeypatch, stream, asked):
    seen = []

    def from_dlpack(x, reader):
        seen.append(reader)
        return SimpleNamespace(shape=x.shape, dtype=np.float32, strides=None, ptr=1024)

    module = SimpleNamespace(StridedMemoryView=SimpleNamespace(from_dlpack=from_dlpack))
    monkeypatch.setattr(arrays, "import_module", lambda name: module)
    driver = FakeDriver()
    run = CudaExecutable(PLAN, lower_plan(PLAN, WEIGHTS, GPU), driver)
    driver.done.clear()
    tensor = SimpleNamespace(shape=(1, 4, 5, 3), __dlpack_device__=lambda: (2, 0))
    run.on_device([tensor], [], stream)
    assert seen == [asked]
    assert driver.done[0][:2] == ("replay", f"theirs{stream or 0}")


def test_a_stream_outlives_the_memory_that_is_given_back_in_it(run, driver):
    class Named:
        ptr = 9

    class Freed(Block):
        pass

    gone = []

    def allocate_within(stream, count):
        memory = Freed("1600", 4 * count)
        weakref.finalize(memory, gone.append, "memory")
        return memory

    driver.allocate_within = allocate_within
    stream = Named()
    weakref.finalize(stream, gone.append, "stream")
    y = run.on_device([Tensor((1, 4, 5, 3))], [], stream)
    del stream
    gc.collect()
    assert gone == []
    del y
    gc.collect()
    assert gone == ["memory", "stream"]


def test_a_new_output_tells_where_it_lies(run):
    (y,) = run.on_device([Tensor((1, 4, 5, 3))], [], None)
    facts = y.__cuda_array_interface__
    assert (facts["shape"], facts["typestr"], facts["stream"]) == ((1, 3, 4, 3), "<f4", 5)


@pytest.mark.parametrize(("reader", "waits"), [(None, 1), (1, 1), (9, 9), (-1, -1)])
def test_a_new_output_gives_itself_by_dlpack(run, monkeypatch, reader, waits):
    def from_cuda_array_interface(array, stream):
        facts = array.__cuda_array_interface__["shape"], stream
        return SimpleNamespace(__dlpack__=lambda **asked: (facts, asked))

    view = SimpleNamespace(from_cuda_array_interface=from_cuda_array_interface)
    module = SimpleNamespace(StridedMemoryView=view)
    monkeypatch.setattr(arrays, "import_module", lambda name: module)
    (y,) = run.on_device([Tensor((1, 4, 5, 3))], [], None)
    assert y.__dlpack_device__() == (2, 0)
    facts, asked = y.__dlpack__(stream=reader, max_version=(1, 0))
    assert facts == ((1, 3, 4, 3), waits)
    assert asked == {"max_version": (1, 0), "dl_device": None, "copy": None}


def test_an_older_package_gives_nothing_by_dlpack_and_says_so(run, monkeypatch):
    view = SimpleNamespace(from_cuda_array_interface=lambda array, stream: SimpleNamespace())
    module = SimpleNamespace(StridedMemoryView=view)
    monkeypatch.setattr(arrays, "import_module", lambda name: module)
    (y,) = run.on_device([Tensor((1, 4, 5, 3))], [], None)
    with pytest.raises(BufferError, match="needs a newer cuda-core"):
        y.__dlpack__()


def test_nvidia_s_views_take_what_they_are_asked_for():
    view = pytest.importorskip("cuda.core.utils").StridedMemoryView
    assert callable(view.from_cuda_array_interface)
    x = np.arange(6, dtype=np.float32)
    capsule = view.from_dlpack(x, -1).__dlpack__(max_version=(1, 0), dl_device=None, copy=None)
    assert "dltensor" in repr(capsule)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Tensor((2, 4, 5, 4)), r"shape on the device is \[2, 4, 5, 4\]"),
        (Tensor((2, 4, 5, 3), typestr="<f2"), "holds <f2"),
        (Tensor((2, 4, 5, 3), strides=(4, 4, 4, 4)), "has gaps"),
        (Tensor((2, 4, 5, 3), address=1028), "no multiple of 16 bytes"),
    ],
)
def test_an_array_that_kernels_cannot_read_is_refused(run, wrong, message):
    with pytest.raises(InputError, match=message):
        run.on_device([wrong], [], None)


def test_an_output_is_not_written_while_another_stream_may_read_it(run, driver):
    out = Tensor((1, 3, 4, 3), 4096, stream=7)
    (y,) = run.on_device([Tensor((1, 4, 5, 3))], [out], 5)
    assert driver.done[:2] == [("mark", "theirs7"), ("wait for", "theirs5", "event of theirs7")]
    assert driver.done[2][:2] == ("replay", "theirs5")
    assert y.__cuda_array_interface__["stream"] == 5  # that of the work that writes it now


class Differentiated:
    """A tensor of PyTorch's that gradients flow through: it tells where it lies, and no more."""

    @property
    def __cuda_array_interface__(self):
        raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")

    def __dlpack_device__(self):
        return 2, 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Differentiated(), "is not given: .* requires grad"),
        (np.zeros((1, 4, 5, 3), np.float32), "does not lie on a GPU: it is ndarray"),
        ([[0.0]], "does not lie on a GPU: it is list"),
    ],
)
def test_what_is_not_given_on_a_device_is_refused(run, wrong, message):
    with pytest.raises(InputError, match=message):
        run.on_device([wrong], [], None)


def test_a_tensor_that_gradients_flow_through_lies_on_the_device():
    assert lies_on_device(Differentiated())
    assert lies_on_device(Tensor((1,)))
    assert not lies_on_device(SimpleNamespace(__dlpack_device__=lambda: (1, 0)))


def test_an_output_that_may_only_be_read_is_refused(run):
    facts = {"shape": (1, 3, 4, 3), "typestr": "<f4", "data": (4096, True), "version": 3}
    with pytest.raises(InputError, match="may only be read"):
        run.on_device(
            [Tensor((1, 4, 5, 3))], [SimpleNamespace(__cuda_array_interface__=facts)], None
        )


def test_an_output_of_another_shape_is_refused(run):
    with pytest.raises(InputError, match="the network writes"):
        run.on_device([Tensor((1, 4, 5, 3))], [Tensor((1, 3, 4, 4), 4096)], None)


def test_streams_of_several_libraries_are_understood():
    torch, cupy = SimpleNamespace(cuda_stream=3), SimpleNamespace(ptr=4)
    numba, python = SimpleNamespace(handle=SimpleNamespace(value=5)), 6
    assert [stream_handle(s) for s in (torch, cupy, numba, python)] == [3, 4, 5, 6]
    with pytest.raises(InputError, match="str is no stream"):
        stream_handle("s")


def test_a_model_for_the_cpu_refuses_arrays_of_a_gpu():
    model = cnndsl.compile("lenet5", seed=0)
    with pytest.raises(InputError, match="lies on a device, and the model runs on cpu"):
        model(Tensor((1, 32, 32, 1)))
