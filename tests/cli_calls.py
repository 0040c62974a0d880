"""The command line, called in this process."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

from cnndsl.cli.main import main

SMALL = """\
cnn 1
network Small
layer  type     maps  size   kernel  stride  padding  activation
In     input    1     28x28
C1     conv     4     24x24  5x5     1       valid    relu
S2     maxpool  4     12x12  2x2     2       valid    -
Out    dense    10    -      -       -       -        softmax
"""


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


class Cli:
    """Calls `cnndsl` and keeps apart what it says where."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: object, stdin: bytes = b"") -> Outcome:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        return Outcome(status, captured.out, captured.err)
