"""How the CUDA target uses a device, with devices that write down what they are asked."""

import threading
from dataclasses import dataclass, field
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest
from graphs import graph_of

import cnndsl
from cnndsl.backends.cuda import arrays
from cnndsl.backends.cuda import executable as executables
from cnndsl.backends.cuda.arrays import stream_handle
from cnndsl.backends.cuda.backend import CudaBackend, lower_plan
from cnndsl.backends.cuda.executable import CudaExecutable
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.program import make_program
from cnndsl.batches import lies_on_device
from cnndsl.errors import InputError, TargetError
from cnndsl.plan.build import make_plan

PLAN = make_plan(
    graph_of(
        ("x", "input maps=3 size=4x5", ""),
        ("p", "maxpool kernel=2 stride=1", "x"),
        ("b", "batchnorm epsilon=1e-3", "p"),
        ("s", "activation activation=softmax", "b"),
    ),
    CudaBackend().choose,
)
WEIGHTS = {f"b.{n}": np.ones(3, np.float32) for n in ("weight", "bias", "mean", "variance")}
GPU = Gpu("fake", (9, 0), 4, 48 * 1024, threads=32)


@dataclass
class Block:
    name: str
    bytes: int

    def at(self, offset):
        return f"{self.name}+{offset}"


@dataclass
class FakeDriver:
    """A device whose kernels do nothing; `done` is what it was asked, in order."""

    gpu: Gpu = GPU
    records: bool = True
    free: int = 1 << 30
    done: list = field(default_factory=list)
    recording: list | None = None
    streams: int = 0

    def note(self, *what):
        (self.done if self.recording is None else self.recording).append(what)

    def free_bytes(self):
        return self.free

    def function(self, kernel):
        return kernel.name

    def allocate(self, count):
        assert self.recording is None, "nothing is allocated in a recording"
        self.free -= 4 * count
        return Block(f"m{count}", 4 * count)

    def allocate_within(self, stream, count):
        return Block("1600", 4 * count)

    def upload(self, array):
        assert self.recording is None, "nothing is uploaded in a recording"
        self.note("upload", array.size)
        return self.allocate(array.size)

    def borrow(self, address):
        return Block(f"@{address}", 0)

    def pinned(self, count):
        assert self.recording is None
        return np.zeros(count, np.float32)

    def stream(self):
        self.streams += 1
        return f"s{self.streams}"

    def foreign_stream(self, handle):
        return f"theirs{handle}"

    def launch(self, stream, function, extents, pointers, shape):
        self.note("launch", stream, function, pointers)

    def copy_in(self, stream, to, of):
        self.note("in", stream, of.size)

    def copy_out(self, stream, to, of):
        self.note("out", stream, to.size)

    def record(self, stream, work):
        self.recording = []
        work()
        graph, self.recording = tuple(self.recording), None
        return graph

    def replay(self, stream, graph):
        self.note("replay", stream, [event[0] for event in graph])

    def mark(self, stream, again=None):
        self.note("mark", stream)
        return f"event of {stream}"

    def wait_for(self, stream, event):
        self.note("wait for", stream, event)

    def wait(self, stream):
        self.note("wait", stream)


@pytest.fixture
def driver():
    return FakeDriver()


@pytest.fixture
def run(driver):
    executable = CudaExecutable(PLAN, lower_plan(PLAN, WEIGHTS, GPU), driver)
    driver.done.clear()
    return executable


def images(batch):
    return np.zeros((batch, 4, 5, 3), np.float32)


def verbs(driver):
    return [event[0] for event in driver.done]


def test_weights_are_brought_once_for_all_batch_sizes():
    driver = FakeDriver()
    run = CudaExecutable(PLAN, lower_plan(PLAN, WEIGHTS, GPU), driver)
    uploads = verbs(driver).count("upload")
    for batch in (1, 2, 3):
        run((images(batch),))
    assert verbs(driver).count("upload") == uploads == 2  # the normalization's factor and summand


def test_a_call_is_one_replay_of_copies_and_launches(run, driver):
    (y,) = run((images(2),))
    assert y.shape == (2, 3, 4, 3)
    assert verbs(driver) == ["replay", "wait"]
    assert driver.done[0][2] == ["in", *["launch"] * len(PLAN.steps), "out"]


def test_the_second_call_records_and_allocates_nothing(run, driver, monkeypatch):
    run((images(2),))
    free, recorded = driver.free, []
    monkeypatch.setattr(FakeDriver, "record", lambda *_: recorded.append(1))
    run((images(2),))
    assert (driver.free, recorded) == (free, [])


def test_a_caller_s_arrays_are_read_and_written_where_they_lie(run, driver):
    run.run([1000], [2000], 2, "theirs7")
    run.run([1000], [2000], 2, "theirs7")
    assert verbs(driver) == ["replay", "mark", "wait for", "replay", "mark"]
    assert {event[1] for event in driver.done} == {"theirs7"}
    graphs = [event[2] for event in driver.done if event[0] == "replay"]
    assert graphs == [["launch"] * len(PLAN.steps)] * 2


def test_what_a_caller_left_running_is_waited_for_by_the_next(run, driver):
    run.run([1000], [2000], 2, "theirs7")
    driver.done.clear()
    run((images(2),))
    assert verbs(driver) == ["wait for", "replay", "wait"]
    assert driver.done[0][2] == "event of theirs7"


def test_graphs_for_callers_arrays_are_kept_for_the_last_few(run, driver, monkeypatch):
    recorded = []
    record = FakeDriver.record
    monkeypatch.setattr(FakeDriver, "record", lambda *args: recorded.append(1) or record(*args))
    for address in [*range(8), *range(8)]:
        run.run([address], [99], 1, "theirs0")
    assert len(recorded) == 8
    run.run([8], [99], 1, "theirs0")
    run.run([1], [99], 1, "theirs0")
    assert len(recorded) == 9
    run.run([0], [99], 1, "theirs0")
    assert len(recorded) == 10


def test_too_large_a_batch_is_refused_before_anything_is_allocated(run, driver):
    driver.free = 10_000
    with pytest.raises(TargetError, match=r"fake has 9\.8 KiB of free memory, and a batch of 1000"):
        run((images(1000),))
    assert driver.free == 10_000
    assert driver.done == []


def test_memory_that_idle_batch_sizes_hold_is_given_up_first():
    program = make_program(PLAN, lower_plan(PLAN, WEIGHTS, GPU), 8)
    driver = FakeDriver()
    run = CudaExecutable(PLAN, lower_plan(PLAN, WEIGHTS, GPU), driver)
    asked = []

    def free_bytes():
        asked.append(len(run._batches))
        return program.bytes if len(asked) > 1 else 0

    driver.free_bytes = free_bytes
    run((images(8),))
    assert asked == [2, 1]


def test_a_large_batch_travels_in_slices_that_take_turns(run, driver, monkeypatch):
    monkeypatch.setattr(executables, "SLICE_BYTES", 2 * images(1).nbytes)
    (y,) = run((images(7),))
    assert y.shape == (7, 3, 4, 3)
    order = [event[:2] for event in driver.done]
    assert [verb for verb, _ in order] == [
        *["replay", "replay", "wait", "replay", "wait", "replay", "wait", "wait"]
    ]
    first, second = order[0][1], order[1][1]
    assert first != second
    assert order[2] == ("wait", first)


def test_callers_at_once_use_memory_of_their_own(run, driver):
    run((images(1),))
    inside, go = threading.Barrier(2, timeout=10), []
    wait = driver.wait

    def meet(stream):
        inside.wait()
        go.append(stream)
        wait(stream)

    driver.wait = meet
    threads = [threading.Thread(target=run, args=((images(1),),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(go)) == 2


def test_a_program_s_bytes_are_those_of_its_regions():
    program = make_program(PLAN, lower_plan(PLAN, WEIGHTS, GPU), 3)
    floats = 3 * (prod((4, 5, 3)) + prod((3, 4, 3)) + PLAN.arena)
    assert program.bytes == 4 * floats


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


def test_a_new_output_tells_where_it_lies(run):
    (y,) = run.on_device([Tensor((1, 4, 5, 3))], [], None)
    facts = y.__cuda_array_interface__
    assert (facts["shape"], facts["typestr"], facts["stream"]) == ((1, 3, 4, 3), "<f4", 5)


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
