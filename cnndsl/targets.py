"""The targets by name, and the processors that a call may use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches

from cnndsl.backends.protocol import Backend, Interpreter
from cnndsl.errors import CnnError, TargetError
from cnndsl.types import DENSE_WEIGHTS, NUMERICS, DenseWeights, Numerics

TARGETS = ("cpu", "reference")


def find_backend(
    target: str, numerics: Numerics = "fast", dense_weights: DenseWeights = "float32"
) -> Backend | Interpreter:
    """
    The target of that name, which chooses kernels as `numerics` says. Raises `TargetError`.

    The reference computes by the definitions, whatever `numerics` and `dense_weights` allow.
    """
    _check_option("numerics", numerics, NUMERICS)
    _check_option("dense weights", dense_weights, DENSE_WEIGHTS)
    # Imported where they are asked for: a target brings what it needs and no other does.
    if target == "cpu":
        from cnndsl.backends.cpu.backend import CpuBackend

        return CpuBackend(numerics=numerics, dense_weights=dense_weights)
    if target == "reference":
        from cnndsl.backends.reference.backend import ReferenceBackend

        return ReferenceBackend()
    near = get_close_matches(target, TARGETS, 1)
    raise TargetError(
        f"there is no target {target!r}; the targets are {', '.join(TARGETS)}",
        code="E702",
        fixes=[f"target {near[0]!r}"] if near else (),
    )


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        *first, last = known
        raise TargetError(
            f"there is no {name} {value!r}; there is {', '.join(first)} and {last}", code="E702"
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
