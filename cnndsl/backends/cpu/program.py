"""A network for one batch size as a table of kernel calls, and the memory that it runs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel, encode
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.lowering.call import Address, Call
from cnndsl.backends.cpu.program_layout import (
    ALONE,
    FIELDS,
    GRAIN,
    KERNEL,
    MAX_FIELDS,
    ROW_WORDS,
    UNITS,
)
from cnndsl.plan.plan import Place

EXECUTOR, WATCH = Kernel("executor", "run"), Kernel("executor", "watch")
_FLOAT = 4  # bytes


class Moved(NamedTuple):
    """A field whose address is known when a program runs: its place in the table, its array."""

    field: int
    port: int


@dataclass(frozen=True, slots=True)
class Program:
    """
    The table that the executor walks, int64 [steps, ROW_WORDS], without the addresses of a run.

    Fields that lie in the arena or in a caller's array hold their offsets in bytes; `moved` names
    them, as places in the flattened table with the array's port, by what they are offsets into.
    `arena` and `scratch` (a thread) are sizes in floats, `work` is about how many floats a run
    reads and writes. `executor` and `watch` are the addresses of the functions that callers and
    helpers run. `kept` are the arrays whose addresses are in the table.
    """

    table: NDArray[np.int64]
    moved: dict[Place, list[Moved]]
    arena: int
    scratch: int
    work: int
    executor: int
    watch: int
    kept: tuple[Any, ...]


def kernels_of(calls: Sequence[Call]) -> list[Kernel]:
    """The kernels that run these calls, each once."""
    kernels = [EXECUTOR, WATCH, *(call.kernel for call in calls)]
    kernels += [field for call in calls for field in call.fields if isinstance(field, Kernel)]
    return list(dict.fromkeys(kernels))


def assemble(calls: Sequence[Call], arena: int, library: Library) -> Program:
    """The program of these calls over an arena of that many floats."""
    addresses = library.addresses(kernels_of(calls))
    table = np.zeros((len(calls), ROW_WORDS), np.int64)
    moved: dict[Place, list[Moved]] = {"input": [], "output": [], "arena": []}
    kept: list[Any] = [library]
    for step, call in enumerate(calls):
        if len(call.fields) > MAX_FIELDS:
            raise ValueError(f"{call.kernel.name} has more than {MAX_FIELDS} fields")
        row = table[step]
        row[KERNEL], row[UNITS], row[GRAIN] = addresses[call.kernel], call.units, call.grain
        for number, field in enumerate(call.fields, FIELDS):
            if isinstance(field, Address):
                moved[field.place].append(Moved(step * ROW_WORDS + number, field.port))
                row[number] = field.offset * _FLOAT
            elif isinstance(field, np.ndarray):
                kept.append(field)
                row[number] = field.ctypes.data
            elif isinstance(field, Kernel):
                row[number] = addresses[field]
            else:
                row[number] = encode(field)
    scratch = max((call.scratch_floats for call in calls), default=0)
    work = sum(call.units * call.unit_floats for call in calls)
    for step in reversed(range(len(calls))):
        if calls[step].too_small_to_share:
            following = table[step + 1, ALONE] if step + 1 < len(calls) else 0
            table[step, ALONE] = 1 + following
    functions = addresses[EXECUTOR], addresses[WATCH]
    return Program(table, moved, arena, scratch, work, *functions, tuple(kept))
