"""
Another process that compiles kernels beside this one, for as long as a network is made ready.

To import numba and to compile is Python's work for the most part, of which a process does one piece
at a time. So where kernels will be missing, a second one imports numba while this one plans, and
takes its share of them. It gets a line of JSON for each, a kernel's module, function and
parameters, and answers with the object file, its length before it; nothing where it has failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from threading import Condition, Thread
from typing import IO

from cnndsl.backends.cpu.fingerprint import fingerprint
from cnndsl.backends.cpu.helpers import processors
from cnndsl.backends.cpu.kernel import Kernel

# It finds its modules where this process does. -P: not where this process happens to stand.
_COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cnndsl.backends.cpu.companion import main; main()"
)
_LENGTH_BYTES = 8


class Companion:
    """
    A process that compiles what it is asked for, in that order, until it is ended.

    What comes of it is up to whoever asks: a process that cannot be started, fails or is killed
    has compiled nothing.
    """

    def __init__(self) -> None:
        self._asked: deque[Kernel] = deque()
        self._taken = set[Kernel]()
        self._made = dict[Kernel, bytes | None]()
        self._is_over = False
        self._change = Condition()
        self._process = _started()
        self._server = Thread(target=self._serve, name="cnndsl companion", daemon=True)
        self._server.start()

    def ask(self, kernels: Iterable[Kernel]) -> None:
        """Have kernels compiled, each once."""
        with self._change:
            self._asked += [kernel for kernel in kernels if kernel not in self._taken]
            self._taken.update(self._asked)
            self._change.notify_all()

    def take_back(self, least: int) -> Kernel | None:
        """The last of the kernels that it has not begun with, where there are `least` of them."""
        with self._change:
            return self._asked.pop() if len(self._asked) >= least else None

    def wait_for(self, kernel: Kernel) -> bytes | None:
        """The object file of a kernel that it was asked for; None where it made none."""
        with self._change:
            self._change.wait_for(lambda: kernel in self._made or self._is_over)
            return self._made.get(kernel)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        with self._change:
            self._is_over = True
            self._change.notify_all()
        if self._process is not None:
            self._process.kill()
            self._server.join()
            self._process.communicate()

    def _serve(self) -> None:
        """Hand the process one kernel after the other."""
        process = self._process
        try:
            if process is not None and process.stdin is not None and process.stdout is not None:
                self._converse(process.stdin, process.stdout)
        except (OSError, EOFError):
            pass  # it was ended, or has failed
        with self._change:
            self._is_over = True
            self._change.notify_all()

    def _converse(self, questions: IO[bytes], answers: IO[bytes]) -> None:
        if _read(answers) != fingerprint():
            return  # it runs other code than this process
        while True:
            with self._change:
                self._change.wait_for(lambda: self._asked or self._is_over)
                if self._is_over:
                    return
                kernel = self._asked.popleft()
            questions.write(json.dumps(kernel_data(kernel)).encode() + b"\n")
            questions.flush()
            made = _read(answers) or None
            with self._change:
                self._made[kernel] = made
                self._change.notify_all()


def can_have_companion() -> bool:
    """Whether a second process is likely to help, and this one's Python can be started again."""
    program = os.path.basename(sys.executable or "").lower()
    is_python = program.startswith(("python", "pypy")) and not hasattr(sys, "frozen")
    return is_python and processors() > 1


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
    # What numba and LLVM prepare when they compile for the first time, they prepare for this.
    made = {COPY: compile_kernel(COPY)}
    for line in sys.stdin:
        module, function, parameters = json.loads(line)
        kernel = Kernel(module, function, tuple(parameters))
        with suppress(Exception):  # who asked will compile it, and be told what is wrong with it
            made[kernel] = made.get(kernel) or compile_kernel(kernel)
        _write(answers, made.get(kernel, b""))


def _started() -> subprocess.Popen[bytes] | None:
    """The process, or None where the system starts none."""
    options = ["-P", *(["-B"] if sys.dont_write_bytecode else [])]
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
