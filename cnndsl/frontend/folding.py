"""
Rows that repeat become a block, and rows of its type.

A run of rows can be a block where it reads one row from outside and only its last row is read from
outside. Runs that compute the same but for some sizes are uses of one block; those sizes are its
parameters. Each round takes the block that saves most lines, until none saves enough: so blocks
come to stand in blocks. Reading the table gives back the same rows under other names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.frontend.block_names import BlockNames, name_block, recount
from cnndsl.frontend.parameters import Parameters, find_parameters
from cnndsl.frontend.written import WrittenRow

_LONGEST = 32
"""Rows of a block: longer ones are hard to read, and take longer to look for."""

_BLOCKS_LINES = 4
"""What a block takes beside its rows: its first line, its header, `end` and a blank line."""

_FEWEST_SAVED = 5

Run = tuple[WrittenRow, ...]


@dataclass(frozen=True, slots=True)
class FoldedBlock:
    """A block: its parameters with their defaults, if they have one, and rows that read `in`."""

    name: str
    parameters: tuple[tuple[str, str | None], ...]
    rows: Run


@dataclass(frozen=True, slots=True)
class Folded:
    """
    A table with its blocks, in an order in which each uses earlier ones only.

    `outputs` are the rows that are the network's results.
    """

    blocks: tuple[FoldedBlock, ...]
    rows: Run
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Uses:
    """
    Runs that can be uses of one block.

    `begins` are their places in the table. Those in one list of `stacks`, by number, are written as
    one row: each reads the one before and is given the same. `saved` are the lines less.
    """

    begins: tuple[int, ...]
    runs: tuple[Run, ...]
    parameters: Parameters
    stacks: tuple[tuple[int, ...], ...]
    saved: int


def fold_rows(rows: Sequence[WrittenRow], outputs: Sequence[str]) -> Folded:
    """The rows, with blocks for those that repeat. Rows of `outputs` keep being results."""
    table, results = tuple(rows), tuple(outputs)
    blocks: list[FoldedBlock] = []
    given = {row.name for row in table}
    while (uses := _best_uses(table, _last_readers(table, results))) is not None:
        made = name_block(uses.runs, [block.name for block in blocks], [r.name for r in table])
        given |= set() if made.counted else set(made.uses)
        blocks.append(_block(uses, made))
        table, renamed = _with_uses(table, uses, made, blocks[-1])
        results = tuple(renamed.get(name, name) for name in results)
    names = recount([row.name for row in table], given)
    table = _reading([replace(row, name=names.get(row.name, row.name)) for row in table], names)
    return Folded(tuple(blocks), table, tuple(names.get(name, name) for name in results))


# ---- which rows repeat


def _last_readers(table: Run, outputs: Sequence[str]) -> list[int]:
    """For each row the place of the last that reads it; of an output, the end."""
    place = {row.name: i for i, row in enumerate(table)}
    last = list(range(len(table)))
    for i, row in enumerate(table):
        for name in row.sources:
            last[place[name]] = i
    for name in outputs:
        last[place[name]] = len(table)
    return last


def _best_uses(table: Run, last: Sequence[int]) -> _Uses | None:
    """The block that saves most lines; of those that save as many the shorter, then the first."""
    best: _Uses | None = None
    for begins, length in _alike_runs(table, last):
        uses = _uses(table, last, begins, length)
        if uses is not None and (best is None or _rank(uses) > _rank(best)):
            best = uses
    return best


def _rank(uses: _Uses) -> tuple[int, int]:
    return uses.saved, -len(uses.runs[0])


def _alike_runs(table: Run, last: Sequence[int]) -> list[tuple[list[int], int]]:
    """Where runs begin that have the same kinds of rows, wired alike, and how long they are."""
    place = {row.name: i for i, row in enumerate(table)}
    found: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for begin in range(len(table)):
        kinds: list[object] = []
        outside: set[str] = set()
        read_until = begin
        for end, row in enumerate(table[begin : begin + _LONGEST], begin):
            outside |= {name for name in row.sources if place[name] < begin}
            if not row.sources or len(outside) > 1:
                break
            kinds.append((row.kind, *(max(place[name] - begin, -1) for name in row.sources)))
            if end > begin:
                read_until = max(read_until, last[end - 1])
                if read_until <= end:
                    found[tuple(kinds)].append(begin)
    return [(begins, len(kinds)) for kinds, begins in found.items() if len(begins) > 1]


def _uses(table: Run, last: Sequence[int], begins: Sequence[int], length: int) -> _Uses | None:
    """Those of the runs that do not overlap as uses of a block, if that saves enough lines."""
    apart: list[int] = []
    for begin in begins:
        if not apart or begin >= apart[-1] + length:
            apart.append(begin)
    if len(apart) < 2 or len({row.row_type for row in table[apart[0] : apart[0] + length]}) < 2:
        return None  # rows of one type below each other are as legible as a block
    runs = tuple(table[begin : begin + length] for begin in apart)
    parameters = find_parameters(runs)
    if parameters is None:
        return None
    stacks: list[list[int]] = []
    for i, begin in enumerate(apart):
        on_top = (
            i > 0
            and parameters.arguments[i] == parameters.arguments[i - 1]
            and begin == apart[i - 1] + length
            and _operand(runs[i]) == table[begin - 1].name
            and last[begin - 1] < begin + length
        )
        if on_top:
            stacks[-1].append(i)
        else:
            stacks.append([i])
    lines = _BLOCKS_LINES + length + len(stacks) + len(parameters.defaults) - 1
    saved = length * len(apart) - lines
    if saved < _FEWEST_SAVED:
        return None
    return _Uses(tuple(apart), runs, parameters, tuple(map(tuple, stacks)), saved)


def _operand(run: Run) -> str:
    """The row outside that a run reads."""
    inside = {row.name for row in run}
    return next(name for row in run for name in row.sources if name not in inside)


# ---- the block, and the rows of its type


def _block(uses: _Uses, names: BlockNames) -> FoldedBlock:
    """The first run with what differs as parameters."""
    run = uses.runs[0]
    inner = {row.name: name for row, name in zip(run, names.rows, strict=True)}
    rows = tuple(
        replace(
            row,
            name=inner[row.name],
            cells=cells,
            claims=claims,
            sources=tuple(inner.get(name, "in") for name in row.sources),
        )
        for row, cells, claims in zip(
            run, uses.parameters.cells, uses.parameters.claims, strict=True
        )
    )
    return FoldedBlock(names.block, tuple(uses.parameters.defaults.items()), rows)


def _with_uses(
    table: Run, uses: _Uses, names: BlockNames, block: FoldedBlock
) -> tuple[Run, dict[str, str]]:
    """The table with rows of the block's type, and the new names of the runs' last rows."""
    rows: list[WrittenRow] = []
    renamed: dict[str, str] = {}
    done = 0
    for stack in uses.stacks:
        begin = uses.begins[stack[0]]
        rows += table[done:begin]
        runs = [uses.runs[i] for i in stack]
        arguments = uses.parameters.arguments[stack[0]]
        row = _use(runs, names.uses[stack[0]], block, arguments)
        rows.append(row)
        renamed |= {run[-1].name: row.name for run in runs}
        done = uses.begins[stack[-1]] + len(runs[0])
    rows += table[done:]
    return _reading(rows, renamed), renamed


def _use(
    runs: Sequence[Run], name: str, block: FoldedBlock, arguments: dict[str, str]
) -> WrittenRow:
    """The row that stands for runs behind each other."""
    addresses: dict[str, str] = {}
    for number, run in enumerate(runs, 1):
        prefix = f"{number}." if len(runs) > 1 else ""
        for row, inner in zip(run, block.rows, strict=True):
            addresses |= {
                node: prefix + (f"{inner.name}.{within}" if within else inner.name)
                for node, within in row.addresses.items()
            }
    claims = runs[-1][-1].claims
    options = {"repeat": str(len(runs))} if len(runs) > 1 else {}
    defaults = {key: value for key, value in block.parameters if value is not None}
    operand = _operand(runs[0])
    return WrittenRow(name, block.name, arguments, claims, options, (operand,), addresses, defaults)


def _reading(rows: Sequence[WrittenRow], names: dict[str, str]) -> Run:
    """The rows reading others under their new names."""
    return tuple(
        replace(row, sources=tuple(names.get(name, name) for name in row.sources)) for row in rows
    )
