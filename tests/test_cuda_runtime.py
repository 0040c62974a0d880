"""How the CUDA target uses a device, with devices that write down what they are asked."""

import gc
import threading
import weakref
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import pytest
from graphs import graph_of

from cnndsl.backends.cuda import executable as executables
from cnndsl.backends.cuda.backend import CudaBackend, lower_plan
from cnndsl.backends.cuda.executable import CudaExecutable
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.program import make_program
from cnndsl.errors import TargetError
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

    def follow(self, stream, graph, before, again):
        if before is not None:
            self.wait_for(stream, before)
        self.replay(stream, graph)
        return self.mark(stream)

    def mark(self, stream):
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


def test_the_batch_that_is_said_to_fit_does_so(run, driver, monkeypatch):
    # As where small batches split sums, and large ones do not.
    program = run.program

    def with_sums(batch):
        return replace(program(batch), scratch=2000 if batch < 50 else 0)

    monkeypatch.setattr(run, "program", with_sums)
    driver.free = 40 * program(1).bytes
    with pytest.raises(TargetError, match="and a batch of 1000") as caught:
        run((images(1000),))
    fits = int(str(caught.value).split("batches of at most ")[1].split()[0])
    assert fits > 10
    assert with_sums(fits).bytes <= driver.free


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


def short_of_memory(run, monkeypatch, sessions):
    """Let two images be a slice, and let memory be there for so many sessions at once."""
    monkeypatch.setattr(executables, "SLICE_BYTES", 2 * images(1).nbytes)
    alive = weakref.WeakSet()
    session = run._session

    def made(program):
        gc.collect()
        if len(alive) >= sessions:
            raise TargetError("no memory", code="E703")
        alive.add(new := session(program))
        return new

    monkeypatch.setattr(run, "_session", made)


def test_slices_take_no_turns_where_memory_is_short(run, driver, monkeypatch):
    short_of_memory(run, monkeypatch, 1)
    (y,) = run((images(6),))
    assert y.shape == (6, 3, 4, 3)
    assert verbs(driver) == ["replay", "wait", "replay", "wait", "replay", "wait"]


def test_what_a_call_has_started_is_done_before_an_error_leaves_it(run, driver, monkeypatch):
    monkeypatch.setattr(executables, "SLICE_BYTES", 2 * images(1).nbytes)
    replay = driver.replay

    def refuse_the_second(stream, graph):
        if "replay" in verbs(driver):
            raise TargetError("the GPU's driver refuses", code="E704")
        replay(stream, graph)

    driver.replay = refuse_the_second
    with pytest.raises(TargetError, match="driver refuses"):
        run((images(6),))
    started = {event[1] for event in driver.done if event[0] == "replay"}
    assert started <= {event[1] for event in driver.done if event[0] == "wait"}


def test_other_callers_may_come_while_memory_is_given_up(run, driver):
    class Meanwhile(int):
        def __ne__(self, other):
            run._prepared(40 + len(run._batches))
            return int(self) != other

        __hash__ = int.__hash__

    program = replace(run.program(8), batch=Meanwhile(8))
    driver.free = 0
    with pytest.raises(TargetError, match="of free memory"):
        run._check_memory(program)


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
