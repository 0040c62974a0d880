"""Where the command line writes: plainly, or in colour where rich and a terminal are there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

from cnndsl.cli.findings import as_github, as_json, as_text, styled
from cnndsl.errors import Diagnostic
from cnndsl.source import text_cells

if TYPE_CHECKING:  # an extra, and slow to import: see `_rich_console`
    from rich.console import Console

# Terminal cells in which a column that is folded can still be read.
_LEAST_FOLDED = 20

_BETWEEN = 3
"""Terminal cells between the columns of a table in colour."""

# A table from a stranger must not move the cursor or rename the window.
_INVISIBLE = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


@dataclass(frozen=True)
class Terminal:
    """
    Standard output for results, standard error for what is said about them.

    Results for programs (`write`, `json`) are exact. What is for people (`say`, `note`, `table`)
    shows control characters of the user's texts as U+FFFD.
    """

    out: TextIO
    err: TextIO

    @staticmethod
    def standard() -> Terminal:
        """The process's own, or nowhere, where they are closed. Escaped: what no encoding says."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return Terminal(sys.stdout or StringIO(), sys.stderr or StringIO())

    def write(self, text: str) -> None:
        """Write a result as it is."""
        self.out.write(text)

    def json(self, value: Any) -> None:
        """Write a result for programs."""
        self.out.write(f"{json.dumps(value, indent=2)}\n")

    def say(self, text: str) -> None:
        """Write a line of a result for people."""
        self.out.write(f"{text.translate(_INVISIBLE)}\n")

    def note(self, text: str) -> None:
        """Write a line about the result."""
        self.err.write(f"{text.translate(_INVISIBLE)}\n")

    def table(
        self, headings: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str]
    ) -> None:
        """Write rows under headings; the columns of `numbers` are aligned at their right."""
        console = _rich_console(self.out)
        if console is None or _narrow(console.width, [headings, *rows]):
            # The graph's room is not needed for anything else that is written here.
            from cnndsl.ir.summary import align_columns

            for line in align_columns([headings, *rows], numbers):
                self.say(line)
            return
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
        for heading in headings:
            side = "right" if heading in numbers else "left"
            last = heading == headings[-1]
            table.add_column(heading, justify=side, overflow="fold", no_wrap=not last)
        for row in rows:
            table.add_row(*(Text(cell.translate(_INVISIBLE)) for cell in row))
        console.print(table)

    def report(
        self, diagnostics: Iterable[Diagnostic], format: str = "text", *, result: bool = False
    ) -> None:
        """
        Write findings: for people to standard error or, if they are the `result`, to output.

        Those for programs (`json`, `github`) always go to standard output. Where there are none,
        only a result says so.
        """
        found = list(diagnostics)
        if not found and not result:
            return
        if format == "json":
            self.json({"diagnostics": [as_json(diagnostic) for diagnostic in found]})
        elif format == "github":
            for diagnostic in found:
                self.write(f"{as_github(diagnostic)}\n")
        else:
            stream = self.out if result else self.err
            console = _rich_console(stream)
            for diagnostic in found:
                text = as_text(diagnostic).translate(_INVISIBLE)
                if console is None:
                    stream.write(f"{text}\n")
                else:
                    console.print(styled(diagnostic, text), soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Generator[Progress]:
        """On a terminal, show how many of `total` are done."""
        # The bar stands below the results where both go to the same terminal.
        output = _rich_console(self.out)
        console = output or _rich_console(self.err)
        if console is None or total < 2:
            yield Progress(self.say, lambda count: None)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
        from rich.text import Text

        def say_above(text: str) -> None:
            console.print(Text(text.translate(_INVISIBLE)), soft_wrap=True)

        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bar(what, *columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield Progress(say_above if output else self.say, lambda n: bar.advance(task, n))


def _narrow(width: int, rows: Sequence[Sequence[str]]) -> bool:
    """
    Whether a table is too wide for a terminal: it is left to wrap its lines, and words stay whole.

    Only the last column is folded, into what the others leave of the width.
    """
    widths = [max(map(text_cells, column)) for column in zip(*rows, strict=True)]
    return sum(widths[:-1]) + _BETWEEN * len(widths) + min(widths[-1], _LEAST_FOLDED) > width


@dataclass(frozen=True, slots=True)
class Progress:
    """What to call while a long work runs: a line of the result, and so many done."""

    say: Callable[[str], None]
    advance: Callable[[int], None]


def _rich_console(stream: TextIO) -> Console | None:
    """
    A console for a terminal, where rich is installed; it honours NO_COLOR.

    FORCE_COLOR makes a terminal of anything.
    """
    if not (stream.isatty() or os.environ.get("FORCE_COLOR")):
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream, highlight=False)
