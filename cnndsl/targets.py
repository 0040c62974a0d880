"""The targets by name, and the processors that a call may use."""

from __future__ import annotations

import os
from difflib import get_close_matches

from cnndsl.backends.protocol import Backend, Interpreter
from cnndsl.errors import CnnError, TargetError
from cnndsl.types import NUMERICS, Numerics

TARGETS = ("cpu", "reference")


def find_backend(target: str, numerics: Numerics = "fast") -> Backend | Interpreter:
    """
    The target of that name, which chooses kernels as `numerics` says. Raises `TargetError`.

    The reference computes by the definitions, whatever `numerics` allows.
    """
    if numerics not in NUMERICS:
        raise TargetError(
            f"there is no numerics {numerics!r}; there is {' and '.join(NUMERICS)}", code="E702"
        )
    # Imported where they are asked for: a target brings what it needs and no other does.
    if target == "cpu":
        from cnndsl.backends.cpu.backend import CpuBackend

        return CpuBackend(numerics=numerics)
    if target == "reference":
        from cnndsl.backends.reference.backend import ReferenceBackend

        return ReferenceBackend()
    near = get_close_matches(target, TARGETS, 1)
    raise TargetError(
        f"there is no target {target!r}; the targets are {', '.join(TARGETS)}",
        code="E702",
        fixes=[f"target {near[0]!r}"] if near else (),
    )


def thread_count(threads: int | None) -> int:
    """
    The threads that one call may use: `threads`, or where it is None, all processors.

    Raises `CnnError` for less than one.
    """
    if threads is not None:
        if threads < 1:
            raise CnnError(f"threads must be at least 1, not {threads}")
        return threads
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere a process cannot be told
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
