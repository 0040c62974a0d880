"""The header's words: which column each of them is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.row_types import Column
from cnndsl.frontend.suggest import COLUMN_NAMES, closest, did_you_mean
from cnndsl.frontend.syntax import KeywordLine, Word
from cnndsl.frontend.vocabulary import COLUMNS
from cnndsl.ops.kinds import shown
from cnndsl.source import Span

USUAL_HEADER = "layer  type  maps  size  kernel  stride  padding  activation"


def read_columns(
    header: KeywordLine, known: Collection[str], findings: Findings
) -> tuple[Column, ...] | None:
    """The columns behind `type`, or None where the header does not tell them apart."""
    words = header.words
    if not words or words[0].text.lower() != "type":
        elsewhere = any(word.text.lower() == "type" for word in words)
        guessed = bool(words) and not elsewhere and words[0].text.lower() not in known
        findings.error(
            "E102",
            "the header begins with `layer type`",
            words[0].span if words else header.keyword.span,
            fixes=[
                *([Fix("write type", (Edit(words[0].span, "type"),))] if guessed else []),
                *([] if words else [USUAL_HEADER]),
            ],
        )
        if not words or elsewhere:
            return None
    columns: list[Column] = []
    taken: set[str] = set()
    for word in _joined(words[1:], known):
        if findings.full:
            break
        name = word.text.lower()
        called = _called(word.text)
        names = COLUMN_NAMES if called is None else {**COLUMN_NAMES, name: called}
        if name not in known:
            findings.error(
                "E103",
                f"no row type has a column {shown(word.text)}",
                word.span,
                fixes=did_you_mean(word, sorted(known), names),
            )
            meant = closest(word.text, sorted(known), names)
            columns.append(Column(word, meant if meant and meant not in taken else None))
            taken.add(meant)
        elif name in taken:
            findings.error(
                "E103", f"a second column {name}", word.span, fixes=["delete one of them"]
            )
            columns.append(Column(word, None))
        else:
            taken.add(name)
            columns.append(Column(word, name))
    return tuple(columns)


def _joined(words: Sequence[Word], known: Collection[str]) -> list[Word]:
    """The words of a header, those of a column's name of two words as one: `kernel size`."""
    joined: list[Word] = []
    for i, word in enumerate(words):
        above = joined[-1] if joined else None
        if above is not None:
            both = Word(f"{above.text} {word.text}", over((above, word)))
            again = word.text.lower() in (other.text.lower() for other in words[i + 1 :])
            alone = all(w.text.lower() in known or _called(w.text) for w in (above, word))
            if _called(both.text) and (again or not alone):
                joined[-1] = both
                continue
        joined.append(word)
    return joined


def _called(text: str) -> str | None:
    """What books and papers call so: `feature map`, `feature maps`."""
    return COLUMNS.find(text) or COLUMNS.find(f"{text}s")


def over(words: tuple[Word, ...]) -> Span:
    """From the first word to the last."""
    return Span(words[0].span.source, words[0].span.start, words[-1].span.end)
