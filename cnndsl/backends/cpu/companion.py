"""
A thread and other processes that compile kernels, for as long as a network is made ready.

LLVM works beside Python, so that a thread begins with kernels while this process packs weights. But
a process does one piece of Python's work, and of LLVM's, at a time. So where many kernels will be
missing, others get ready while this one plans, and take their share of them. Such a process gets a
line of JSON for each, a kernel's module, function and parameters, and answers with the object file,
its length before it; nothing where it has failed.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Condition, Thread
from typing import IO, TYPE_CHECKING

from cnndsl.backends.cpu.fingerprint import fingerprint
from cnndsl.backends.cpu.helpers import processors
from cnndsl.backends.cpu.kernel import Kernel

if TYPE_CHECKING:
    from subprocess import Popen

# It finds its modules where this process does. -P: not where this process happens to stand.
_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cnndsl.backends.cpu.companion import main; main()"
)
_LENGTH_BYTES = 8
_MOST = 3  # processes: a network's kernels are few, and the largest takes as long as several


class Companion:
    """
    So many processes, and a `thread`, that compile what they are asked for, until they are ended.

    What comes of it is up to whoever asks: a process that cannot be started, fails or is killed
    has compiled nothing.
    """

    def __init__(self, processes: int = 1, *, thread: bool = False) -> None:
        self._asked: deque[Kernel] = deque()
        self._taken = set[Kernel]()
        self._made = dict[Kernel, bytes | None]()
        self._wants_thread, self._is_over = thread, False
        self._change = Condition()
        started = [_started() for _ in range(processes)]
        self._processes = [process for process in started if process is not None]
        self._serving = 0
        self._servers: list[Thread] = []
        for process in self._processes:
            self._start(self._serve, process)

    def ask(self, kernels: Iterable[Kernel]) -> None:
        """Have kernels compiled, each once: the first ones by other processes."""
        with self._change:
            new = [kernel for kernel in kernels if kernel not in self._taken]
            self._asked += new
            self._taken.update(new)
            self._change.notify_all()
        if new and self._wants_thread:
            self._wants_thread = False
            self._start(self._compile_here)

    def take_part(self) -> None:
        """Compile the last of the kernels that none has begun with, until there are no more."""
        while (kernel := self._last()) is not None:
            self._give(kernel, _compiled(kernel))

    def wait_for(self, kernel: Kernel) -> bytes | None:
        """The object file of a kernel that was asked for; None where none was made."""
        with self._change:
            self._change.wait_for(lambda: kernel in self._made or not self._serving)
            return self._made.get(kernel)

    def end(self) -> None:
        """End the processes, whatever they are doing."""
        with self._change:
            self._is_over = True
            self._change.notify_all()
        for process in self._processes:
            process.kill()
        for server in self._servers:
            server.join()
        for process in self._processes:
            process.communicate()

    def _start(self, serve: Callable[..., None], *arguments: object) -> None:
        """Have a thread serve those who ask."""

        def run() -> None:
            with suppress(OSError, EOFError):  # a process was ended, or has failed
                serve(*arguments)
            with self._change:
                self._serving -= 1
                self._change.notify_all()

        with self._change:
            self._serving += 1
        self._servers.append(Thread(target=run, name="cnndsl companion", daemon=True))
        self._servers[-1].start()

    def _compile_here(self) -> None:
        """Take part whenever there is something to do."""
        while self._wait():
            self.take_part()

    def _serve(self, process: Popen[bytes]) -> None:
        """Hand a process one kernel after the other."""
        if process.stdin is not None and process.stdout is not None:
            self._converse(process.stdin, process.stdout)

    def _converse(self, questions: IO[bytes], answers: IO[bytes]) -> None:
        if _read(answers) != fingerprint():
            return  # it runs other code than this process
        while self._wait():
            kernel = self._first()
            if kernel is None:
                continue
            made = None
            try:
                questions.write(json.dumps(kernel_data(kernel)).encode() + b"\n")
                questions.flush()
                made = _read(answers) or None
            finally:
                self._give(kernel, made)

    def _wait(self) -> bool:
        """Wait until something is asked for, True, or all is over."""
        with self._change:
            self._change.wait_for(lambda: self._asked or self._is_over)
            return not self._is_over

    def _first(self) -> Kernel | None:
        with self._change:
            return self._asked.popleft() if self._asked else None

    def _last(self) -> Kernel | None:
        with self._change:
            return self._asked.pop() if self._asked else None

    def _give(self, kernel: Kernel, made: bytes | None) -> None:
        """Let those who wait for a kernel have it."""
        with self._change:
            self._made[kernel] = made
            self._change.notify_all()


def companions() -> int:
    """How many processes are likely to help; none where this one's Python cannot be started."""
    program = os.path.basename(sys.executable or "").lower()
    is_python = program.startswith(("python", "pypy")) and not hasattr(sys, "frozen")
    return min(processors() - 1, _MOST) if is_python else 0


def _compiled(kernel: Kernel) -> bytes | None:
    # Imported here: who finds all kernels in the cache spares LLVM.
    from cnndsl.backends.cpu.compile import compile_kernel

    with suppress(Exception):  # who asked will compile it, and be told what is wrong with it
        return compile_kernel(kernel)
    return None


def kernel_data(kernel: Kernel) -> list[object]:
    """A kernel as JSON has it."""
    return [kernel.module, kernel.function, list(kernel.parameters)]


def main() -> None:
    """Compile what standard input names."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that is printed is an answer
    from cnndsl.backends.cpu.compile import compile_kernel
    from cnndsl.backends.cpu.lowering.copy import COPY

    _write(answers, fingerprint())
    # What LLVM prepares when it compiles for the first time, it prepares for this.
    made = {COPY: compile_kernel(COPY)}
    for line in sys.stdin:
        module, function, parameters = json.loads(line)
        kernel = Kernel(module, function, tuple(parameters))
        _write(answers, made.get(kernel) or _compiled(kernel) or b"")


def _started() -> Popen[bytes] | None:
    """The process, or None where the system starts none."""
    # Imported here: most loading starts none.
    import subprocess

    # -S: all that it would find by looking for packages, it is told.
    options = ["-P", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    command = [sys.executable, *options, "-c", _COMMAND, json.dumps(sys.path)]
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing)
    except OSError:
        return None


def _write(file: IO[bytes], content: bytes) -> None:
    file.write(len(content).to_bytes(_LENGTH_BYTES, "little") + content)
    file.flush()


def _read(file: IO[bytes]) -> bytes:
    """What `_write` wrote. Raises `EOFError` where that has ended."""
    length = file.read(_LENGTH_BYTES)
    content = file.read(int.from_bytes(length, "little"))
    if len(length) < _LENGTH_BYTES or len(content) < int.from_bytes(length, "little"):
        raise EOFError
    return content
