"""What a table claims of its rows: which claims are true, and what is believed of a row."""

from __future__ import annotations

from typing import Any

from cnndsl.frontend.nodes import Outcome
from cnndsl.frontend.syntax import NOT_APPLICABLE
from cnndsl.frontend.typed_row import Given, TypedRow
from cnndsl.ops.kinds import Extent, Pair
from cnndsl.types import TensorType, f32


def actual(name: str, outcome: Outcome) -> Pair | int | None:
    """What a claim of that name is about. None: it has no size, a vector has none."""
    if name == "params":
        return outcome.param_count
    if name == "macs":
        return outcome.macs
    if name == "maps":
        return outcome.result.maps
    return outcome.result.height_width if outcome.result.is_image else None


def claim_text(name: str, outcome: Outcome) -> str:
    """What a true claim says, `-` where there is nothing to claim."""
    value = actual(name, outcome)
    if value is None or (value == 0 and name != "maps"):
        return NOT_APPLICABLE
    if isinstance(value, tuple):
        return Extent().format(value)
    return str(value) if name == "maps" else f"{value:,}"


def is_true(name: str, claim: Given, outcome: Outcome) -> bool:
    """
    Whether a claim holds.

    `?` holds wherever there is something to infer, and `-` wherever there is nothing: no size and
    no maps in a vector, no parameters, no multiplications.
    """
    value = actual(name, outcome)
    if claim.word.is_question:
        return value is not None
    if claim.word.is_dash:
        return value in (None, 0) or (name == "maps" and not outcome.result.is_image)
    return claim.value == value


def false_claims(row: TypedRow, outcome: Outcome) -> frozenset[str]:
    """The names of a row's claims that do not hold."""
    return frozenset(
        name for name, claim in row.claims.items() if not is_true(name, claim, outcome)
    )


def believed(row: TypedRow, outcome: Outcome | None) -> TensorType | None:
    """
    What a row's result is if its claims are true, and else as inferred.

    None where neither is known.
    """
    size, maps = _claimed(row, "size"), _claimed(row, "maps")
    if outcome is not None:
        result = outcome.result
        if not result.is_image:
            return result
        return f32(*(size or result.height_width), maps or result.maps)
    if maps is None and row.block is None and "maps" in row.given:
        maps = row.given["maps"].value
    if size is None and row.operator is not None and row.operator.operands == 0:
        size = row.given["size"].value if "size" in row.given else None
    if size is not None and maps is not None:
        return f32(*size, maps)
    if row.operator is not None and row.operator.reads == "vector" and maps is not None:
        return f32(maps)
    return None


def _claimed(row: TypedRow, name: str) -> Any:
    claim = row.claims.get(name)
    return None if claim is None else claim.value
