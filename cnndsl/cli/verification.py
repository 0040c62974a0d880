"""What `cnndsl verify` found: a model beside what it should compute, told in lines or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from cnndsl.cli.narrowing import Change
from cnndsl.cli.row_errors import RowError
from cnndsl.cli.terminal import Terminal
from cnndsl.model import Model

_HEADINGS = ("row", "computes", "kernel", "largest", "error", "")
_NUMBERS = ("largest", "error")


@dataclass(frozen=True)
class Verification:
    """
    The errors of the model `name`, against what `against` names and `said_by` computed.

    An error is relative, as `RowError` says, and fine up to `tolerance`. `alone` are the rows that
    nothing is expected of, since the other model has nothing like them; `outputs` are the errors of
    the outputs by name; `change` is what fewer bits change, where the model keeps fewer.
    """

    name: str
    model: Model
    against: str
    said_by: str
    tolerance: float
    rows: tuple[RowError, ...]
    alone: tuple[str, ...]
    outputs: Mapping[str, float]
    change: Change | None

    @property
    def within(self) -> bool:
        """Whether every output's error is fine."""
        return max(self.outputs.values()) <= self.tolerance

    @property
    def first_beyond(self) -> str | None:
        """The first row whose error is not fine."""
        return next((row.row for row in self.rows if row.error > self.tolerance), None)

    def as_json(self) -> dict[str, Any]:
        """All of it, for a program."""
        return {
            "model": self.name,
            "against": self.against,
            "said_by": self.said_by,
            "target": self.model.target,
            **asdict(self.model.options),
            "beside_float32": asdict(self.change) if self.change else None,
            "tolerance": self.tolerance,
            "rows": [{**asdict(row), "error": _number(row.error)} for row in self.rows],
            "rows_without_counterpart": self.alone,
            "first_row_beyond": self.first_beyond,
            "output_error": _number(max(self.outputs.values())),
            "output_errors": {name: _number(error) for name, error in self.outputs.items()},
            "within": self.within,
        }

    def print(self, terminal: Terminal) -> None:
        """All of it, for a reader."""
        self._print_rows(terminal)
        if self.alone:
            terminal.say(f"{', '.join(self.alone)}: nothing in {self.against} computes the same")
        if self.first_beyond is not None:
            terminal.say(f"* beyond {self.tolerance:g}, first in row {self.first_beyond}")
        for name, error in self.outputs.items():
            output = f"output {name}" if len(self.outputs) > 1 else "output"
            verdict = "within" if error <= self.tolerance else "beyond"
            terminal.say(
                f"{output}: {error:.1e} of its largest value, {verdict} {self.tolerance:g}, "
                f"against {self.said_by}"
            )
        if self.change is not None:
            terminal.say(f"{narrowed(self.model)} {self.change}")

    def _print_rows(self, terminal: Terminal) -> None:
        headings: list[str] = list(_HEADINGS)
        cells = [
            [
                row.row,
                ", ".join(row.computes),
                " ".join(row.kernels),
                f"{row.largest:.3g}",
                f"{row.error:.1e}",
                "*" if row.error > self.tolerance else "",
            ]
            for row in self.rows
        ]
        if any(row.counterpart for row in self.rows):
            headings.insert(1, f"in {Path(self.against).name}")
            for line, row in zip(cells, self.rows, strict=True):
                line.insert(1, row.counterpart or "")
        terminal.table(headings, cells, _NUMBERS)
        terminal.say("")


def narrowed(model: Model) -> str:
    """What a model keeps of factors that it rounds, or float32."""
    options = model.options
    return options.dense_weights if options.precision == "float32" else options.precision


def _number(error: float) -> float | None:
    """An error as JSON says it: null for an infinite one."""
    return error if isfinite(error) else None
