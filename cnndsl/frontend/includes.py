"""Which files a text may include."""

from __future__ import annotations

from pathlib import Path

from cnndsl.errors import LimitError, SpecError
from cnndsl.frontend.reading import read_source
from cnndsl.frontend.syntax import KeywordLine
from cnndsl.limits import Limits
from cnndsl.source import Source


class IncludedFiles:
    """
    Reads what a text includes, each file once.

    A file's name is relative to the folder of the text that includes it, and what it names lies in
    that folder or below it, links followed. Of all files together the limits are those of one text.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._limits = limits
        self._room = limits.text_bytes - len(source.text)
        folder = source.folder
        file = None if folder is None else (folder / Path(source.name).name).resolve()
        self._open = [(folder, file)]
        self._read = {file}

    def enter(self, line: KeywordLine) -> Source | None:
        """
        The file that an `include` names, or None where it has been read before.

        What it includes is relative to it until `leave`. Raises `CnnError` at the file's name.
        """
        if len(line.words) != 1:
            raise SpecError(
                "`include` names one file",
                code="E115",
                span=line.words[1].span if line.words else line.keyword.span,
                fixes=['include "blocks.cnn"'],
            )
        word = line.words[0]
        path = self._path(line)
        file = path.resolve()
        if any(file == above for _, above in self._open):
            raise SpecError(
                f"{word.text} includes this text: files cannot include each other",
                code="E115",
                span=word.span,
            )
        if file in self._read:
            return None
        if len(self._open) > self._limits.nesting:
            raise LimitError(
                f"files include files more than {self._limits.nesting} deep",
                code="E305",
                span=word.span,
                fixes=["a larger limit: Limits(nesting=...) in Python"],
            )
        source = read_source(path, self._limits)
        self._room -= len(source.text)
        if self._room < 0:
            raise LimitError(
                f"with {word.text} the text has more than {self._limits.text_bytes:,} bytes",
                code="E301",
                span=word.span,
                fixes=["a larger limit: Limits(text_bytes=...) in Python"],
            )
        self._read.add(file)
        self._open.append((path.parent, file))
        return source

    def leave(self) -> None:
        """Go back to the text that included the last one entered."""
        self._open.pop()

    def _path(self, line: KeywordLine) -> Path:
        word, folder = line.words[0], self._open[-1][0]
        if folder is None:
            raise SpecError(
                "only a file can include others: this text has no folder",
                code="E115",
                span=word.span,
                fixes=["the blocks themselves in its place"],
            )
        try:
            path = folder / word.text
            inside = path.resolve().is_relative_to(folder.resolve())
        except (OSError, ValueError, RuntimeError):
            path, inside = folder, False
        if not inside or Path(word.text).is_absolute() or path.is_dir():
            raise SpecError(
                f"{word.text!r} is no file in the folder of this text or below it",
                code="E115",
                span=word.span,
            )
        return path
