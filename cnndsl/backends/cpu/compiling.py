"""
Kernels that are missing, compiled by two processes at once.

LLVM serves one thread of a Python process at a time, so a second processor takes a second process.
It asks for a kernel whenever it has nothing to do, and leaves the code in the cache: where it
fails, or cannot even start, all is compiled here. Each kernel comes as a line of JSON on its
standard input, and for each it is ready to take, it writes an empty line.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.cpu.helpers import processors
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.cache import FileCache

LEAST_SHARED = 3
"""Kernels: fewer are compiled before another process has imported the compiler."""


def shared_out(kernels: Iterable[Kernel], cache: FileCache) -> Iterator[Kernel]:
    """
    Those of `kernels` that are the caller's to compile, while another process compiles the others.

    At the end the other process is through: what it compiled is in the cache.
    """
    waiting = deque(kernels)
    other = None
    if len(waiting) >= LEAST_SHARED and processors() > 1 and _is_python() and cache.is_writable():
        other = threading.Thread(target=_hand_out, args=(waiting, cache.directory), daemon=True)
        other.start()
    try:
        with contextlib.suppress(IndexError):  # the other process may take the last one
            while waiting:
                yield waiting.popleft()
    finally:
        waiting.clear()
        if other is not None:
            other.join()


def _hand_out(waiting: deque[Kernel], directory: Path) -> None:
    """Give another process kernels from the end of the queue, until there are none."""
    here = str(Path(__file__).parents[3])
    command = [sys.executable, "-P", "-m", "cnndsl.backends.cpu.compiling", str(directory)]
    with (
        contextlib.suppress(OSError, IndexError),
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), here])},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in process.stdout:
            kernel = waiting.pop()
            parts = kernel.module, kernel.function, kernel.parameters
            process.stdin.write(json.dumps(parts).encode() + b"\n")
            process.stdin.flush()


def _is_python() -> bool:
    """Whether the executable is an interpreter, and not a program that has one inside."""
    return Path(sys.executable or "").name.startswith("python")


def _main(directory: str) -> None:
    from cnndsl.backends.cpu.compile import compile_kernel

    cache = FileCache(Path(directory))
    print(flush=True)
    for line in sys.stdin:
        module, function, parameters = json.loads(line)
        kernel = Kernel(module, function, tuple(parameters))
        cache.put(kernel.name, key_of(kernel.name), compile_kernel(kernel))
        print(flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
