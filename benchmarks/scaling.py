"""How time grows with the batch, with the image's side and with threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.cases import Case

BATCHES = (1, 2, 4, 8, 16, 32, 64)
SIDES = (32, 64, 96, 128, 192, 256, 384)
OF_ANY_SIZE = "stack"
"""A network for images of any size."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Cases along one quantity, before they are measured."""

    title: str
    along: str
    values: tuple[int, ...]
    cases: tuple[Case, ...]


def plan_sweeps(
    networks: Sequence[str], threads: Sequence[int], batches: Sequence[int] = BATCHES
) -> list[Plan]:
    """
    The sweeps that `--scaling` makes.

    Each network with growing batches on the least number of threads, `OF_ANY_SIZE` with growing
    images, and, where there are several numbers of threads, each network on all of them.
    """
    few = min(threads)
    plans = [
        _along(f"{name}, {_threads(few)}", "batch", batches, Case(name, 1, few))
        for name in networks
    ]
    stack = Case(OF_ANY_SIZE, 1, few, SIDES[0])
    plans.append(_along(f"{OF_ANY_SIZE}, batch 1, {_threads(few)}", "side", SIDES, stack))
    if len(threads) > 1:
        plans += [
            _along(f"{name}, batch {batch}", "threads", threads, Case(name, batch, few))
            for name in networks
            for batch in (1, 16)
        ]
    return plans


def _along(title: str, quantity: str, values: Sequence[int], start: Case) -> Plan:
    cases = tuple(replace(start, **{quantity: value}) for value in values)
    return Plan(title, quantity, tuple(values), cases)


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count != 1)}"
