"""From words to values: `-`, `?`, and what each kind of value reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cnndsl.errors import Edit, Fix, ValueRefused
from cnndsl.frontend.columns import default_text
from cnndsl.frontend.entries import Entries, Entry, RowReport
from cnndsl.frontend.row_types import Block, RowType
from cnndsl.frontend.suggest import VALUES, did_you_mean
from cnndsl.frontend.syntax import INFER, NOT_APPLICABLE, Word
from cnndsl.frontend.typed_row import Given
from cnndsl.ops.kinds import Kind, parse_count


@dataclass(frozen=True, slots=True)
class Values:
    """
    What a row gives, by canonical name.

    `refused` names what is given or asked for already but could not be read, or depends on
    parameters of a block: it is not missing.
    `unknown` is whether something is given that has no meaning.
    """

    given: dict[str, Given] = field(default_factory=dict[str, Given])
    claims: dict[str, Given] = field(default_factory=dict[str, Given])
    refused: set[str] = field(default_factory=set[str])
    unknown: bool = False


def read_values(row_type: RowType | None, entries: Entries, report: RowReport) -> Values:
    """The values of a row's entries. What cannot be read goes to `report`."""
    values = Values(unknown=entries.unknown)
    for same in _by_slot(_units_from_size(row_type, entries.known, report)):
        entry = _only(same, report)
        is_claim = entry.slot.role == "claim"
        given = _value(entry, report)
        if given is not None:
            (values.claims if is_claim else values.given)[entry.slot.name] = given
        elif not is_claim and (entry.word is None or not _means_nothing(entry, entry.word)):
            values.refused.add(entry.slot.name)
    return values


def _by_slot(entries: list[Entry]) -> Iterable[list[Entry]]:
    """Entries that give the same value, together: a claim is not an attribute of its name."""
    slots: dict[tuple[bool, str], list[Entry]] = {}
    for entry in entries:
        slots.setdefault((entry.slot.role == "claim", entry.slot.name), []).append(entry)
    return slots.values()


def _only(same: list[Entry], report: RowReport) -> Entry:
    """The one of several entries that says something. Two that do are an error."""
    said = [e for e in same if e.word is not None and not e.word.is_dash] or same[:1]
    for again in said[1:]:
        assert again.word is not None
        report.error(
            "E113",
            f"{again.slot.name} is given twice",
            again.word.span,
            again.column,
            ["give it in the column or in the option, not in both"],
        )
    return said[0]


def _value(entry: Entry, report: RowReport) -> Given | None:
    """The value that a word says, or None where it says none or cannot be read."""
    slot, word = entry.slot, entry.word
    if word is None or word.pending:
        return None
    if word.is_dash or word.is_question:
        if slot.role == "claim":
            return Given(word, entry.column)
        if not _means_nothing(entry, word):
            _refuse_sign(entry, word, report)
        return None
    try:
        return Given(word, entry.column, slot.kind.parse(word.text))
    except ValueRefused as error:
        message = error.diagnostics[0].message
        fixes = _meant(word, slot.kind, report)
        if not fixes and slot.role == "claim":
            left_open = Fix("write ?, and `cnndsl fmt --fill` counts", (Edit(word.span, INFER),))
            fixes = [left_open]
        fixes = fixes or [Fix(slot.kind.advice(word.text))]
        report.error(error.code, message, word.span, entry.column, fixes)
        return None


def _meant(word: Word, kind: Kind, report: RowReport) -> list[Fix]:
    """What a word that cannot be read was probably meant to be."""
    name = word.text.strip("${}")
    if name in report.parameters:
        texts = [f"${name}"]
    else:
        texts = [text for text in kind.meant(word.text) if _can_be(text, kind)]
    fixes = [Fix(f"did you mean {text}?", (Edit(word.span, text),)) for text in texts]
    return fixes or did_you_mean(word, kind.choices(), VALUES)


def _can_be(text: str, kind: Kind) -> bool:
    try:
        kind.parse(text)
    except ValueRefused:
        return False
    return True


def _means_nothing(entry: Entry, word: Word) -> bool:
    """Whether a word is a `-` that may stand for a value left out."""
    return word.is_dash and not entry.slot.required and default_text(entry.slot) is None


def _refuse_sign(entry: Entry, word: Word, report: RowReport) -> None:
    slot, default = entry.slot, default_text(entry.slot)
    fixes = [Fix(slot.kind.advice(word.text))]
    if default:
        fixes = [Fix(f"write {default}", (Edit(word.span, default),))]
    if word.is_dash:
        message = f"`-` says that {slot.name} does not apply, but it does: {slot.kind.expects}"
        report.error("E109", message, word.span, entry.column, fixes)
    else:
        message = f"{slot.name} cannot be inferred: write {slot.kind.expects}"
        report.error("E110", message, word.span, entry.column, fixes)


def _units_from_size(
    row_type: RowType | None, entries: list[Entry], report: RowReport
) -> list[Entry]:
    """Books print a dense layer's units as its size: say once where they go."""
    if row_type is None or isinstance(row_type, Block) or row_type.reads != "vector":
        return entries
    maps = _find(entries, "maps", "attribute")
    size = _find(entries, "size", "claim")
    if maps is None or size is None or maps.word is None or size.word is None:
        return entries
    units = size.word
    if not maps.word.is_dash or parse_count(units.text) is None:
        return entries
    report.error(
        "E109",
        f"{row_type.row_type} yields a vector, which has no size: its units stand in maps",
        units.span,
        size.column,
        [
            Fix(
                f"maps {units.text} and size {NOT_APPLICABLE}",
                (Edit(maps.word.span, units.text), Edit(units.span, NOT_APPLICABLE)),
            )
        ],
    )
    others = [entry for entry in entries if entry not in (maps, size)]
    return [*others, Entry(maps.slot, units, maps.column)]


def _find(entries: list[Entry], name: str, role: str) -> Entry | None:
    return next((e for e in entries if (e.slot.name, e.slot.role) == (name, role)), None)
