"""
Every error a user can meet.

An error carries diagnostics: what is wrong, where, what was known there, and what would mend it.
Code below raises without a place; whoever knows the place adds it once, with `CnnError.at`.
How a diagnostic looks on a terminal, as JSON or as a GitHub annotation is the command line's
business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from cnndsl.source import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text under a span. An empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """
    A change that would mend a diagnostic, in words and, where it is exact, as edits.

    An operator knows no place: it says what attributes to give which texts in `sets`, and whoever
    knows the text makes edits of that.
    """

    message: str
    edits: tuple[Edit, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `row` and `column` name the table's cell, `span` is its place in the text."""

    code: str
    message: str
    span: Span | None = None
    row: str | None = None
    column: str | None = None
    notes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    severity: Severity = "error"

    def at(
        self,
        span: Span | None,
        row: str | None = None,
        column: str | None = None,
        notes: Iterable[str] = (),
    ) -> Diagnostic:
        """This finding, placed. What it already says of its place is kept: the inner is exact."""
        return replace(
            self,
            span=self.span or span,
            row=self.row or row,
            column=self.column or column,
            notes=(*self.notes, *notes),
        )

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        lines = [f"{place}{self.severity}[{self.code}]: {self.where()}{self.message}"]
        if self.span and (shown := self.span.underlined()):
            lines.append(shown)
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  fix: {fix.message}" for fix in self.fixes]
        return "\n".join(lines)

    def where(self) -> str:
        """The cell by name, ready to stand before the message: `row C1, column size: `."""
        names = [f"row {self.row}"] if self.row else []
        names += [f"column {self.column}"] if self.column else []
        return f"{', '.join(names)}: " if names else ""


class CnnError(Exception):
    """
    What went wrong, as one diagnostic or several.

    `code` and `span` are those of the first. `str` is what a user reads.

    >>> print(ShapeError("a 5x5 kernel does not fit into a 3x3 image"))
    error[E201]: a 5x5 kernel does not fit into a 3x3 image
    """

    default_code: ClassVar[str] = "E001"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        span: Span | None = None,
        row: str | None = None,
        column: str | None = None,
        notes: Iterable[str] = (),
        fixes: Iterable[Fix | str] = (),
    ) -> None:
        diagnostic = Diagnostic(
            code or self.default_code,
            message,
            span,
            row,
            column,
            tuple(notes),
            tuple(Fix(fix) if isinstance(fix, str) else fix for fix in fixes),
        )
        self._set((diagnostic,))

    def _set(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        super().__init__(diagnostics[0].message)

    def __str__(self) -> str:
        # Made when it is read: most errors of a search for fixes never are.
        return "\n".join(map(str, self.diagnostics))

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> Self:
        """One error for many findings (at least one)."""
        found = tuple(diagnostics)
        if not found:
            raise ValueError("an error needs a diagnostic")
        error = cls(found[0].message)
        error._set(found)
        return error

    @property
    def code(self) -> str:
        """The first finding's code, as listed in `specs/errors.md`."""
        return self.diagnostics[0].code

    @property
    def span(self) -> Span | None:
        """The first finding's place in the source, if it has one."""
        return self.diagnostics[0].span

    def at(
        self,
        span: Span | None,
        row: str | None = None,
        column: str | None = None,
        notes: Iterable[str] = (),
    ) -> Self:
        """This error, placed."""
        notes = tuple(notes)
        return self.of(d.at(span, row, column, notes) for d in self.diagnostics)


class SpecError(CnnError):
    """A `.cnn` text that cannot be read as a network."""

    default_code = "E100"


class ValueRefused(CnnError):
    """A cell's or an option's value that its attribute cannot take."""

    default_code = "E108"


class ShapeError(CnnError):
    """Tensors that an operator cannot accept."""

    default_code = "E201"


class ConventionError(CnnError):
    """A spelling that frameworks read differently, used where the difference shows."""

    default_code = "E205"


class LimitError(CnnError):
    """A network larger than a stated limit."""

    default_code = "E304"


class WeightsError(CnnError):
    """Weights that do not belong to the network."""

    default_code = "E401"


class UnknownWeight(WeightsError, KeyError):
    """A name that none of a model's weights has."""

    default_code = "E405"


class ArtifactError(CnnError):
    """A compiled model's file that cannot be trusted or read."""

    default_code = "E501"


class InputError(CnnError):
    """An array or a picture that the model cannot take."""

    default_code = "E601"


class TargetError(CnnError):
    """A target that is not there or that lacks a kernel."""

    default_code = "E701"


class FileError(CnnError):
    """A file or a folder that cannot be read or written."""

    default_code = "E801"


class MissingExtra(CnnError):
    """An optional package that this call needs and that is not installed."""

    default_code = "E803"


CODES: dict[str, str] = {
    "E001": "an error without a more exact code",
    "E002": "the command cannot be understood",
    "E100": "the line cannot be read",
    "E101": "the version line is missing or names an unknown version",
    "E102": "the header row is missing, repeated or incomplete",
    "E103": "a column is unknown or named twice",
    "E104": "the row type is unknown",
    "E105": "the option is unknown for this row type",
    "E106": "the row's name is taken, reserved or malformed",
    "E107": "a required value is missing",
    "E108": "a value cannot be read",
    "E109": "`-` where a value applies, or a value where none applies",
    "E110": "`?` where nothing can be inferred",
    "E111": "`from` names a row that is not above",
    "E112": "the row has more cells than the header has columns",
    "E113": "a value is given twice",
    "E114": "the table does not begin with an input row, or ends with one",
    "E115": "the file cannot be included",
    "E116": "the block's parameter is unknown, or its name cannot be used",
    "E117": "`outputs` names no row, or one twice",
    "E201": "the tensors do not fit the operator",
    "E202": "a claimed size is false",
    "E203": "a claimed number of parameters is false",
    "E204": "a claimed number of multiply-accumulates is false",
    "E205": "a convention on which frameworks differ must be named here",
    "E206": "a claimed number of maps is false",
    "E301": "the text is larger than the limit",
    "E302": "the table has more rows than the limit",
    "E303": "a dimension is larger than the limit",
    "E304": "the network needs more memory than the limit",
    "E305": "the text nests or repeats deeper than the limit",
    "E401": "the weights do not match the network",
    "E402": "the weights file cannot be read",
    "E403": "weights could belong to the rows in more than one way",
    "E404": "weights are NaN or infinite",
    "E405": "the model has no weight of that name",
    "E501": "the file is not a compiled model",
    "E502": "the compiled model is truncated or damaged",
    "E503": "the compiled model's content does not match its hash",
    "E504": "the compiled model has a newer format",
    "E601": "the array's shape does not fit the input row",
    "E602": "the array's element type cannot be used",
    "E603": "the picture cannot be read or used",
    "E604": "the call does not fit the network's inputs and outputs",
    "E701": "the target has no kernel for an operator",
    "E702": "the target is unknown or not available",
    "E703": "the device has not enough memory, or cannot count so many cells",
    "E704": "the device's driver refuses a call",
    "E801": "the file cannot be read or written",
    "E802": "the pasted table cannot be read",
    "E803": "an optional package is needed",
    "E804": "the ONNX model cannot be read, or a part of it has no row",
    "E805": "the network cannot be written as an ONNX model",
    "E806": "the Darknet network cannot be read, or a part of it has no row",
    "W101": "nobody reads the row",
    "W802": "a part of the pasted table is left out",
}
