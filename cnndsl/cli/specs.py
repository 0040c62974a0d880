"""Tables that the command line names, as texts and as networks."""

from __future__ import annotations

from pathlib import Path

from cnndsl.api import find_spec
from cnndsl.cli.arguments import COMPILED, STDIN, read_stdin
from cnndsl.frontend.load import decode_source, load_network, read_source
from cnndsl.interop.artifact import read_artifact
from cnndsl.ir.network import Network
from cnndsl.limits import Limits
from cnndsl.source import Source


def read_spec(name: str, limits: Limits) -> Source:
    """
    The text of a table: a file, `-` for standard input, or a shipped spec's bare name.

    Of a compiled model, the table in it. Raises `CnnError`.
    """
    if name == STDIN:
        return decode_source("<stdin>", read_stdin(limits.text_bytes), limits)
    if name.endswith(COMPILED):
        return Source(name, read_artifact(Path(name)).text)
    return read_source(find_spec(name), limits)


def load_spec(name: str, limits: Limits) -> Network:
    """The network of a table that the command line names. Raises `CnnError`."""
    return load_network(read_spec(name, limits), limits)
