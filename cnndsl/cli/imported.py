"""Writing an imported network: its table, and its weights beside it."""

from __future__ import annotations

from pathlib import Path

from cnndsl.cli.arguments import write_file
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import FileError
from cnndsl.exchange import ImportedNetwork

_WEIGHTS = ".safetensors"


def write_imported(found: ImportedNetwork, output: str, terminal: Terminal) -> None:
    """
    Write the table, and the weights, if there are any, as a file of the same name.

    The weights come first: there is no table of which they are missing. Raises `FileError`.
    """
    table = Path(output)
    if table.suffix == _WEIGHTS or table.is_dir():
        reason = "it is a folder" if table.is_dir() else "the weights are written there"
        raise FileError(f"the table cannot be written to {table}: {reason}", fixes=["-o FILE.cnn"])
    if not found.weights:
        write_file(table, found.network.source.text)
        return
    weights = table.with_suffix(_WEIGHTS)
    found.save_weights(weights)
    write_file(table, found.network.source.text)
    terminal.note(f"note: the weights are in {weights}")
