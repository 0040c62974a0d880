"""What is said where a file's layers and a table's rows do not find each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from cnndsl.errors import Diagnostic, Fix, WeightsError
from cnndsl.interop.foreign.fitting import Fit
from cnndsl.interop.foreign.layers import Layer
from cnndsl.interop.foreign.search import Pair, Pairing
from cnndsl.interop.foreign.units import Unit

AMBIGUOUS = "E403"
_SHOWN = 5
_OTHER_LINE = Fix("another layer, or another row, in this line of the --map file")
_OTHER_VALUES = Fix("other values in the row, or the file of this network's weights")
Table = Sequence[Mapping[int, Fit]]
"""For each unit the layers that fit it, by number."""


def misfit(unit: Unit, layer: Layer) -> Diagnostic:
    """A pair that a user has made and that does not fit."""
    message = f"{layer.name} ({_held(layer)}) does not fit {unit.name} ({_wanted(unit)})"
    return Diagnostic("E401", message, row=unit.name, fixes=(_OTHER_LINE,))


def without_layers(
    units: Sequence[Unit], layers: Sequence[Layer], table: Table, origin: str
) -> list[Diagnostic]:
    """The units that no layer fits. Layers of the same kind that fit none are named beside."""
    free = [layer for i, layer in enumerate(layers) if not any(i in row for row in table)]
    findings: list[Diagnostic] = []
    for unit, row in zip(units, table, strict=True):
        if row:
            continue
        alike = [layer for layer in free if _kind(layer.array("weight")) == _kind_of(unit)]
        notes = tuple(f"{layer.name} ({_held(layer)}) fits no row" for layer in alike[:_SHOWN])
        message = f"no layer in {origin} fits {unit.name} ({_wanted(unit)})"
        findings.append(
            Diagnostic("E401", message, row=unit.name, notes=notes, fixes=(_OTHER_VALUES,))
        )
    return findings


def too_few(
    units: Sequence[Unit], table: Table, kept: Collection[int], origin: str
) -> WeightsError:
    """Fewer layers than units."""
    return WeightsError(
        f"{origin} has {len(kept)} layers for the {len(units)} that the table needs",
        notes=_counts(units, table, kept),
        fixes=["a file of the whole network's weights, or a table without the rows they lack"],
    )


def too_many(
    units: Sequence[Unit], table: Table, kept: Collection[int], origin: str, modules: Sequence[str]
) -> WeightsError:
    """More layers than units, and no one module or several that could be left out."""
    notes = list(_counts(units, table, kept))
    if modules:
        notes.append(f"one of these could be left out: {', '.join(modules)}")
    return WeightsError(
        f"{origin} has {len(kept) - len(units)} layers more than the table needs",
        code=AMBIGUOUS if modules else "E401",
        notes=notes,
        fixes=["--map FILE with a line `- = NAME` for each layer or module to leave out"],
    )


def stuck(
    units: Sequence[Unit], layers: Sequence[Layer], made: Sequence[Pair], origin: str
) -> WeightsError:
    """All fit some unit, but in no order in which the network could be computed."""
    pairs = dict(made)
    waiting = [unit.name for i, unit in enumerate(units) if i not in pairs]
    over = [layer.name for i, layer in enumerate(layers) if i not in pairs.values()]
    return WeightsError(
        f"the layers of {origin} stand in no order in which this table could be computed",
        code=AMBIGUOUS,
        notes=[f"of the rows, {_some(waiting)} have no layer", f"layers left are {_some(over)}"],
        fixes=["--map FILE with a line `ROW = LAYER` for those that the order misleads"],
    )


def ambiguous(
    units: Sequence[Unit], layers: Sequence[Layer], pairing: Pairing, others: Sequence[Pairing]
) -> WeightsError:
    """Several pairings are possible, and nothing tells which is meant."""
    findings: dict[tuple[int, ...], Diagnostic] = {}
    for other in others:
        changed = tuple(sorted(u for u in pairing if pairing[u] != other[u]))
        first = changed[0]
        choices = layers[pairing[first]].name, layers[other[first]].name
        message = f"{units[first].name} could be {choices[0]} or {choices[1]}"
        more = [units[u].name for u in changed[1:]]
        notes = (f"{_some(more)} would change as well",) if more else ()
        fix = Fix(f"--map FILE with a line `{units[first].name} = {choices[0]}`, or the other")
        findings[changed] = Diagnostic(
            AMBIGUOUS, message, row=units[first].name, notes=notes, fixes=(fix,)
        )
    return WeightsError.of(findings.values())


def endless(origin: str) -> WeightsError:
    """There are too many ways to pair them."""
    return WeightsError(
        f"the layers of {origin} could be paired with the rows in too many ways",
        code=AMBIGUOUS,
        fixes=["--map FILE with lines `ROW = LAYER` for some of them"],
    )


def _counts(units: Sequence[Unit], table: Table, kept: Collection[int]) -> Iterator[str]:
    """Shapes of which the table and the file have different numbers."""
    ours: Counter[str] = Counter()
    theirs: dict[str, set[int]] = {}
    for unit, row in zip(units, table, strict=True):
        ours[_wanted(unit)] += 1
        theirs.setdefault(_wanted(unit), set()).update(i for i in row if i in kept)
    for what, count in ours.items():
        if count != len(theirs[what]):
            yield f"{what}: {count} in the table, {len(theirs[what])} in the file"


def _wanted(unit: Unit) -> str:
    return ", ".join(f"{name} {list(param.shape)}" for name, param in unit.params.items())


def _held(layer: Layer) -> str:
    return ", ".join(f"{role} {list(shape)}" for role, shape in layer.shapes)


def _kind(weight: object) -> int:
    return getattr(weight, "ndim", 0)


def _kind_of(unit: Unit) -> int:
    param = unit.params.get("weight")
    return 0 if param is None else len(param.shape)


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
