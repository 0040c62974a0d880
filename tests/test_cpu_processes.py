"""The CPU backend across processes: a shared cache, forks, and the end of an interpreter."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cnndsl

pytestmark = pytest.mark.cache

PATIENCE = 120  # seconds, for a process that compiles everything on a busy machine


def start(cache: Path, body: str, threads: int = 1) -> subprocess.Popen[str]:
    """Start a Python that runs the network, `run(x)`, with the given cache, and does `body`."""
    prelude = f"""
        import os, sys
        import numpy as np
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from cpu_network import executable, images
        network = executable({threads})
        run = lambda x: network((x,))[0]
        x = images(32)
        y = run(x)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(body)],
        cwd=Path(cnndsl.__file__).parent.parent,
        env={**os.environ, "CNNDSL_CACHE_DIR": str(cache)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What the process printed. It must have ended well."""
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return out


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A cache that two processes have filled at once."""
    folder = tmp_path_factory.mktemp("cache")
    digest = "import hashlib; print(hashlib.sha256(y.tobytes()).hexdigest())"
    both = [start(folder, digest), start(folder, digest)]
    first, second = map(finish, both)
    assert first == second
    return folder


def test_a_process_that_finds_its_kernels_never_imports_numba(cache):
    assert finish(start(cache, "print('numba' in sys.modules)")) == "False\n"


def test_a_process_that_compiles_its_kernels_imports_no_numba_either(tmp_path):
    assert finish(start(tmp_path, "print('numba' in sys.modules)")) == "False\n"


def test_processes_that_compile_at_once_leave_whole_files_only(cache):
    assert {file.suffix for file in cache.iterdir()} == {".cache"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_after_use_computes_the_same_with_helpers_of_its_own(cache):
    body = """
        import threading
        def helpers():
            return sum(thread.name == "cnndsl helper" for thread in threading.enumerate())
        before = helpers()
        child = os.fork()
        if child == 0:
            same = np.array_equal(run(x), y)
            os._exit(0 if same and helpers() == before else 1)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), np.array_equal(run(x), y))
    """
    assert finish(start(cache, body, threads=2)) == "0 True\n"


def test_an_interpreter_ends_while_helpers_sleep(cache):
    body = """
        import threading
        print([t.daemon for t in threading.enumerate() if t.name == "cnndsl helper"])
    """
    assert finish(start(cache, body, threads=2)) in ("[True]\n", "[]\n")


def test_an_interpreter_ends_while_threads_are_running(cache):
    body = """
        import threading
        def forever():
            while True:
                run(x)
        for _ in range(2):
            threading.Thread(target=forever, daemon=True).start()
        run(x)
        print("done")
    """
    assert finish(start(cache, body, threads=2)) == "done\n"
