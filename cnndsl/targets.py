"""The targets by name, and the processors that a call may use."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from operator import index
from typing import SupportsIndex

from cnndsl.backends.protocol import Backend, Interpreter
from cnndsl.errors import CnnError, TargetError
from cnndsl.types import DENSE_WEIGHTS, NUMERICS, PRECISIONS, USUAL, Options, Precision

TARGETS = ("cpu", "cuda", "reference")


def find_backend(target: str, options: Options = USUAL) -> Backend | Interpreter:
    """
    The target of that name, which computes as `options` say.

    The reference computes by the definitions, whatever they allow. Raises `TargetError`, also for
    an option that the target has not.
    """
    _check_option("numerics", options.numerics, NUMERICS)
    _check_option("dense weights", options.dense_weights, DENSE_WEIGHTS)
    _check_option("precision", options.precision, PRECISIONS)
    whole_number("batch", options.batch, least=1)
    # Imported where they are asked for: a target brings what it needs and no other does.
    if target == "cpu":
        from cnndsl.backends.cpu.backend import CpuBackend

        _refuse_precision(target, options.precision)
        return CpuBackend(options)
    if target == "cuda":
        from cnndsl.backends.cuda.backend import CudaBackend

        _refuse_combination(options)
        return CudaBackend(precision=options.precision)
    if target == "reference":
        from cnndsl.backends.reference.backend import ReferenceBackend

        return ReferenceBackend()
    near = (
        ["cuda"]
        if str(target).lower() in ("gpu", "nvidia")
        else get_close_matches(str(target), TARGETS, 1)
    )
    raise TargetError(
        f"there is no target {target!r}; the targets are {', '.join(TARGETS)}",
        code="E702",
        fixes=[f"target {(near or TARGETS)[0]!r}"],
    )


def _check_option(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        *first, last = known
        raise TargetError(
            f"there is no {name} {value!r}; there is {', '.join(first)} and {last}",
            code="E702",
            fixes=[f"{name.replace(' ', '_')}={known[0]!r}"],
        )


def _refuse_precision(target: str, precision: Precision) -> None:
    if precision != "float32":
        raise TargetError(
            f"the target {target} computes products in float32, not in {precision}",
            code="E702",
            fixes=["the target cuda"],
        )


def _refuse_combination(options: Options) -> None:
    """Raise `TargetError` for what the target cuda does not do."""
    if options.dense_weights != "float32":
        raise TargetError(
            f"the target cuda does not keep dense weights in {options.dense_weights}",
            code="E702",
            fixes=["precision float16 or bfloat16, which halves them", "the target cpu"],
        )
    if options.numerics == "strict" and options.precision != "float32":
        raise TargetError(
            f"strict numerics sum the products of the definition, and {options.precision} rounds "
            "their factors",
            code="E702",
            fixes=["precision float32", "numerics fast"],
        )


def whole_number(name: str, value: object, *, least: int) -> int:
    """An argument as an int, of NumPy's types too. Raises `CnnError` where it is none."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or index(value) < least:
        raise CnnError(f"{name} is a whole number of at least {least}, not {value!r}")
    return index(value)


def thread_count(threads: int | None) -> int:
    """
    The threads that one call may use: `threads`, or where it is None, all processors.

    Raises `CnnError` for anything but a positive whole number.
    """
    if threads is not None:
        return whole_number("threads", threads, least=1)
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere a process cannot be told
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
