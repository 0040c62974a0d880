"""A network for one batch size as a table of kernel calls, before and after it has addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel, encode
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.lowering.call import Address, Call, Shared
from cnndsl.backends.cpu.program_layout import (
    ALONE,
    FIELDS,
    GRAIN,
    KERNEL,
    MAX_FIELDS,
    ROW_WORDS,
    UNITS,
)

if TYPE_CHECKING:  # a program that is found whole needs no plan
    from cnndsl.plan.plan import Place

EXECUTOR = Kernel("executor", "run")
_FLOAT = 4  # bytes
_LINE = 16  # floats of a line of the cache


class Moved(NamedTuple):
    """A field whose address is known when a program runs: its place in the table, its array."""

    field: int
    port: int


class Wanted(NamedTuple):
    """A field that holds an address: its place in the flattened table, and the number of what."""

    field: int
    number: int


@dataclass(frozen=True, slots=True)
class Relocatable:
    """
    A program that lacks all addresses, so that another process can have it.

    `table`, `moved`, `arena`, `scratch` and `work` are those of a `Program`. `kernels` are
    called from `functions`, and `arrays` are read from `data`, both fields of the table that hold 0
    here. `outputs` are the shapes of one image's results.
    """

    table: NDArray[np.int64]
    moved: dict[Place, list[Moved]]
    kernels: tuple[Kernel, ...]
    functions: tuple[Wanted, ...]
    arrays: tuple[NDArray[Any], ...]
    data: tuple[Wanted, ...]
    arena: int
    scratch: int
    work: int
    outputs: tuple[tuple[int, ...], ...] = ()


Programs = Callable[[int], Relocatable]
"""The program for a batch of that size."""


@dataclass(frozen=True, slots=True)
class Program:
    """
    The table that the executor walks, int64 [steps, ROW_WORDS], without the addresses of a run.

    Fields that lie in the arena or in a caller's array hold their offsets in bytes; `moved` names
    them, as places in the flattened table with the array's port, by what they are offsets into.
    `arena` and `scratch` (a thread) are sizes in floats, `work` is about how many floats a run
    reads and writes. `executor` is the address of the function that callers and helpers run. `kept`
    are the arrays whose addresses are in the table.
    """

    table: NDArray[np.int64]
    moved: dict[Place, list[Moved]]
    arena: int
    scratch: int
    work: int
    executor: int
    kept: tuple[Any, ...]


def kernels_of(calls: Sequence[Call]) -> list[Kernel]:
    """The kernels that run these calls, each once."""
    kernels = [EXECUTOR, *(call.kernel for call in calls)]
    kernels += [field for call in calls for field in call.fields if isinstance(field, Kernel)]
    return list(dict.fromkeys(kernels))


def assemble(calls: Sequence[Call], arena: int, library: Library) -> Program:
    """The program of these calls over an arena of that many floats."""
    return link(lay_out(calls, arena), library)


def lay_out(
    calls: Sequence[Call], arena: int, outputs: tuple[tuple[int, ...], ...] = ()
) -> Relocatable:
    """
    The program of these calls over an arena of that many floats, without addresses.

    What threads share during a call lies behind what the plan has put into the arena.
    """
    calls = [row for call in calls for row in call.rows]
    shared = -(-arena // _LINE) * _LINE
    kernels = {kernel: number for number, kernel in enumerate(kernels_of(calls))}
    table = np.zeros((len(calls), ROW_WORDS), np.int64)
    moved: dict[Place, list[Moved]] = {"input": [], "output": [], "arena": []}
    functions: list[Wanted] = []
    arrays: list[NDArray[Any]] = []
    data: list[Wanted] = []
    for step, call in enumerate(calls):
        if len(call.fields) > MAX_FIELDS:
            raise ValueError(f"{call.kernel.name} has more than {MAX_FIELDS} fields")
        row, start = table[step], step * ROW_WORDS
        functions.append(Wanted(start + KERNEL, kernels[call.kernel]))
        row[UNITS], row[GRAIN] = call.units, call.grain
        for number, field in enumerate(call.fields, FIELDS):
            if isinstance(field, Address):
                moved[field.place].append(Moved(start + number, field.port))
                row[number] = field.offset * _FLOAT
            elif isinstance(field, Shared):
                moved["arena"].append(Moved(start + number, 0))
                row[number] = (shared + field.offset) * _FLOAT
            elif isinstance(field, np.ndarray):
                data.append(Wanted(start + number, len(arrays)))
                arrays.append(cast("NDArray[Any]", field))
            elif isinstance(field, Kernel):
                functions.append(Wanted(start + number, kernels[field]))
            else:
                row[number] = encode(field)
    for step in reversed(range(len(calls))):
        if calls[step].too_small_to_share:
            following = table[step + 1, ALONE] if step + 1 < len(calls) else 0
            table[step, ALONE] = 1 + following
    most_shared = max((call.shared_floats for call in calls), default=0)
    return Relocatable(
        table,
        moved,
        tuple(kernels),
        tuple(functions),
        tuple(arrays),
        tuple(data),
        arena=shared + most_shared if most_shared else arena,
        scratch=max((call.scratch_floats for call in calls), default=0),
        work=sum(call.units * call.unit_floats for call in calls),
        outputs=outputs,
    )


def link(program: Relocatable, library: Library) -> Program:
    """A program with the addresses that its kernels and arrays have in this process."""
    addresses = library.addresses(program.kernels)
    table = program.table.copy()
    words = table.reshape(-1)
    for field, number in program.functions:
        words[field] = addresses[program.kernels[number]]
    for field, number in program.data:
        words[field] = program.arrays[number].ctypes.data
    return Program(
        table,
        program.moved,
        program.arena,
        program.scratch,
        program.work,
        executor=addresses[EXECUTOR],
        kept=(library, *program.arrays),
    )
