"""The classes' names, which stand in a file beside the table."""

from __future__ import annotations

from pathlib import Path

from cnndsl.errors import CnnError, FileError
from cnndsl.files import unreadable
from cnndsl.ir.network import Network
from cnndsl.ops.input import Input

_LARGEST = 2**20


def read_labels(network: Network) -> tuple[str, ...] | None:
    """
    The lines of the file that an input row names, or None where none names any.

    They are the classes of each output that is a list of as many numbers.

    The file must lie in the table's folder or below it: a table from a stranger reads nothing else.
    Raises `FileError` at the input row, also where no output has as many classes as names are.
    """
    rows = ((row, row.op.labels) for row in network.rows if isinstance(row.op, Input))
    row, name = next(((row, name) for row, name in rows if name is not None), (None, None))
    if row is None or name is None:
        return None
    try:
        labels = _lines(Path(network.source.name).parent, name)
        classes = [network.types[output].maps for output in network.ir.outputs]
        if len(labels) not in classes:
            counts = " or ".join(map(str, dict.fromkeys(classes)))
            raise FileError(f"{name} has {len(labels)} names, and the network {counts} outputs")
    except CnnError as error:
        raise error.at(row.cells.get("labels", row.span), row.name, "labels") from None
    return labels


def _lines(folder: Path, name: str) -> tuple[str, ...]:
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a text that is no path
        raise FileError(f"{name} is no file in the table's folder") from None
    if not inside:
        raise FileError(f"{name} is outside the table's folder")
    try:
        if path.stat().st_size > _LARGEST:
            raise FileError(f"{name} is larger than {_LARGEST:,} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise FileError(f"{path} is not UTF-8") from None
    return tuple(text.removesuffix("\n").split("\n"))
