"""Other processes compile kernels as this one would, and nothing depends on whether they do."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnndsl.backends.cpu import companion as companion_module
from cnndsl.backends.cpu.companion import Companion, companions
from cnndsl.backends.cpu.compile import compile_kernel
from cnndsl.backends.cpu.elf import IS_AT_HOME, link
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.library import Library
from cnndsl.cache import FileCache

pytestmark = pytest.mark.cache

SMALL = [Kernel("copy", "permute"), Kernel("copy", "zero_halo"), Kernel("copy", "copy")]
KERNELS = [*SMALL, Kernel("softmax", "softmax"), Kernel("executor", "run")]


@pytest.fixture
def companion():
    """A process that is ended, whatever becomes of the test."""
    made = Companion()
    yield made
    made.end()


@pytest.fixture
def compiled_here(monkeypatch) -> list[Kernel]:
    """The kernels that this process compiles."""
    here: list[Kernel] = []

    def compile_and_note(kernel):
        here.append(kernel)
        return compile_kernel(kernel)

    monkeypatch.setattr("cnndsl.backends.cpu.compile.compile_kernel", compile_and_note)
    return here


@pytest.fixture
def two_processors(monkeypatch):
    monkeypatch.setattr(companion_module, "processors", lambda: 2)


@pytest.fixture
def started_since() -> Callable[[], set[str]]:
    """The processes that this one has started in the test, and that are there."""
    before = _children()
    return lambda: _children() - before


def test_its_code_is_ours(companion):
    companion.ask(KERNELS)
    companion.ask(KERNELS[:2])  # asked for twice, it is compiled once
    for kernel in KERNELS:
        assert _code(companion.wait_for(kernel)) == _code(compile_kernel(kernel))


def test_what_it_cannot_compile_it_leaves_to_who_asks(companion):
    companion.ask([Kernel("copy", "no_such_kernel"), SMALL[0]])
    assert companion.wait_for(Kernel("copy", "no_such_kernel")) is None
    assert companion.wait_for(SMALL[0])


def test_who_asked_takes_part(companion, compiled_here):
    companion.ask(KERNELS)
    companion.take_part()
    assert compiled_here == KERNELS[: -len(compiled_here) - 1 : -1]
    assert all(companion.wait_for(kernel) for kernel in KERNELS)


def test_a_thread_compiles_what_is_asked_for(compiled_here):
    lonely = Companion(0, thread=True)
    lonely.ask([Kernel("copy", "no_such_kernel"), SMALL[0]])
    assert lonely.wait_for(SMALL[0])
    assert lonely.wait_for(Kernel("copy", "no_such_kernel")) is None
    lonely.ask(SMALL)
    assert all(lonely.wait_for(kernel) for kernel in SMALL)
    lonely.end()
    assert sorted(k.name for k in compiled_here) == [
        "copy",
        "no_such_kernel",
        "permute",
        "zero_halo",
    ]


def test_several_share_the_work_and_one_that_is_killed_is_not_waited_for():
    several = Companion(2)
    several.ask(KERNELS)
    several._processes[0].kill()
    made = [several.wait_for(kernel) for kernel in KERNELS]
    assert sum(code is None for code in made) <= 1  # what the killed one had begun with
    several.end()
    assert [process.poll() is None for process in several._processes] == [False, False]


def test_a_killed_one_has_made_nothing_and_keeps_nobody_waiting(companion):
    companion.ask(KERNELS)
    companion._processes[0].kill()
    assert companion.wait_for(KERNELS[-1]) is None


@pytest.mark.parametrize("program", ["/nowhere/python", "python-that-is-not"])
def test_one_that_cannot_be_started_has_made_nothing(monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    lacking = Companion()
    lacking.ask(KERNELS)
    assert lacking.wait_for(KERNELS[0]) is None
    lacking.end()


def test_one_of_other_code_is_not_asked(monkeypatch):
    monkeypatch.setattr(companion_module, "fingerprint", lambda: bytes(32))
    stranger = Companion()
    stranger.ask(KERNELS)
    assert stranger.wait_for(KERNELS[0]) is None
    stranger.end()


@pytest.mark.parametrize(
    ("program", "processors", "expected"),
    [
        ("/usr/bin/python3.12", 1, 0),
        ("/usr/bin/python3.12", 2, 1),
        ("/usr/bin/python3.12", 64, 3),
        ("/opt/app/server", 8, 0),  # which has a Python inside, and would be started again
        ("", 8, 0),
        (None, 8, 0),
    ],
)
def test_only_a_python_is_started_again_and_only_beside_another_processor(
    monkeypatch, program, processors, expected
):
    monkeypatch.setattr(sys, "executable", program)
    monkeypatch.setattr(companion_module, "processors", lambda: processors)
    assert companions() == expected


def test_a_library_shares_its_work_and_ends_the_process(
    two_processors, compiled_here, started_since, tmp_path
):
    library = Library(FileCache(tmp_path))
    addresses = library.addresses(KERNELS)
    assert len(set(addresses.values())) == len(KERNELS)
    assert set(compiled_here) <= set(KERNELS)
    assert len(compiled_here) == len(set(compiled_here))
    assert all(Library(FileCache(tmp_path)).is_cached(kernel) for kernel in KERNELS)
    assert not started_since()


def test_a_library_whose_helper_dies_compiles_all_by_itself(
    monkeypatch, two_processors, compiled_here, tmp_path
):
    def killed():
        process = subprocess.Popen(
            [sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.wait()
        return process

    monkeypatch.setattr(companion_module, "_started", killed)
    library = Library(FileCache(tmp_path))
    assert len(library.addresses(KERNELS)) == len(KERNELS)
    assert set(compiled_here) == set(KERNELS)


def test_processes_get_ready_for_the_first_network_of_a_process(
    monkeypatch, started_since, tmp_path
):
    monkeypatch.setattr(companion_module, "processors", lambda: 3)
    executor, library = KERNELS[-1], Library(FileCache(tmp_path))
    with library.expecting(executor):
        assert len(started_since()) == 2
        library.announce(SMALL)
        library.addresses([executor, *SMALL])
    assert not started_since()
    for later in library, Library(FileCache(tmp_path)):
        with later.expecting(executor):  # a network shares kernels with those before it
            assert not started_since()


def test_a_network_that_cannot_be_planned_leaves_no_process(
    two_processors, started_since, tmp_path
):
    with pytest.raises(ZeroDivisionError), Library(FileCache(tmp_path)).expecting(KERNELS[-1]):
        raise ZeroDivisionError
    assert not started_since()


def _code(made: bytes | None) -> bytes:
    """The code of an object file, without the names in it, which numba numbers."""
    assert made
    return link([made], lambda _: 0)[0] if IS_AT_HOME else made[:4]


def _children() -> set[str]:
    """The processes of this one: other tests may have left Python's own behind."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    if not tasks.is_dir():
        pytest.skip("needs Linux's list of processes")
    return {child for task in tasks.iterdir() for child in _of(task)}


def _of(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:  # the thread has ended, or the kernel has no such list
        return []
