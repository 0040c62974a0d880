"""Copies into shared memory, and neighbours in one load or store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, Truth, emits
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

ALIGNMENT: int | None = None if SIMULATED else 16
"""Bytes on which shared memory starts, so that quads lie well in it. The simulator knows none."""


class Copies(NamedTuple):
    """
    How a block fills its stages.

    `copy(shared, at, source, start, valid)` copies some floats, `copy_quad` four; `commit()` closes
    a group of copies, and `arrived()` waits for all groups but the last so many.
    """

    copy: Callable[[Any, int, Any, int, bool], None]
    copy_quad: Callable[[Any, int, Any, int, bool], None]
    commit: Callable[[], None]
    arrived: Callable[[], None]


def copies(vector: int, pending: int, asynchronous: int) -> Copies:
    """
    Copies of `vector` floats at a time, of which `pending` groups may be on their way.

    Without `asynchronous`, they go through registers, and have arrived when the call is done.
    """

    def copier(width: int) -> Any:
        @emits()
        def copy(
            code: Code, shared: Memory, at: Place, source: Memory, start: Place, valid: Truth
        ) -> None:
            if asynchronous:
                code.copy(width, shared, at, source, start, valid)
            else:
                code.store(code.load_if(source, start, width, valid), shared, at, 0)

        return copy

    @emits()
    def commit(code: Code) -> None:
        if asynchronous:
            code.commit()

    @emits()
    def arrived(code: Code) -> None:
        if asynchronous:
            code.wait(pending)

    return Copies(copier(vector), copier(4), commit, arrived)


@emits(results=4)
def quad(code: Code, memory: Memory, start: Place) -> list[Number]:
    """Four neighbours."""
    return code.load(memory, start, 0, 4)


@emits()
def store_quad(
    code: Code, memory: Memory, start: Place, a: Number, b: Number, c: Number, d: Number
) -> None:
    """Write four neighbours."""
    code.store([a, b, c, d], memory, start, 0)
