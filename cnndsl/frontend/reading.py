"""From a file's bytes to a `Source`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from cnndsl.errors import FileError, LimitError, SpecError
from cnndsl.files import unreadable
from cnndsl.limits import Limits
from cnndsl.source import Source, Span

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_FOREIGN_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


_LOOKED_AT = 4096
"""The bytes of a file that are looked through for what no text has."""

_USES = {
    (".cnnm",): "cnndsl.load reads compiled models",
    (".onnx",): "cnndsl import onnx FILE reads ONNX models",
    (".png", ".jpg", ".jpeg"): "cnndsl run MODEL FILE reads pictures",
    (".safetensors", ".pt", ".pth", ".keras", ".h5", ".npz"): "a table first, then its weights: "
    "cnndsl import weights FILE --for SPEC",
}
"""What files are for that are taken for tables, by how their names end."""


def _use_of(name: str) -> str:
    """What a file is for that is no table by its name, or nothing."""
    suffix = Path(name).suffix.lower()
    uses = (use.replace("FILE", name) for suffixes, use in _USES.items() if suffix in suffixes)
    return next(uses, "")


def read_source(path: str | os.PathLike[str], limits: Limits | None = None) -> Source:
    """
    Read a `.cnn` file.

    Raises `FileError` for a file that cannot be read, `LimitError` for one too large and
    `SpecError` for one that is no UTF-8 text.
    """
    limits = limits or Limits()
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(limits.text_bytes + 1)
    except OSError as error:
        raise unreadable(Path(path), error) from None
    except ValueError as error:
        raise FileError(f"{name!r} is no path of a file: {error}") from None
    return replace(decode_source(name, data, limits), folder=Path(path).parent)


def decode_source(name: str, data: bytes, limits: Limits | None = None) -> Source:
    """The text of `data`, called `name` in diagnostics. Raises as `read_source`."""
    limits = limits or Limits()
    if len(data) > limits.text_bytes:
        raise LimitError(
            f"{name} has more than {limits.text_bytes:,} bytes, which is the limit",
            code="E301",
            fixes=["a larger limit: Limits(text_bytes=...) in Python"],
        )
    for mark, encoding in _FOREIGN_MARKS:
        if data.startswith(mark):
            raise SpecError(f"{name} is {encoding} text", fixes=["save it as UTF-8"])
    use = _use_of(name)
    if use or b"\0" in data[:_LOOKED_AT]:
        # Not each such file has a byte that no text has: then its name tells.
        raise SpecError(
            f"{name} is no table" if use else f"{name} is no text",
            fixes=[use or "a .cnn file, which is UTF-8 text"],
        )
    try:
        return Source(name, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        readable = Source(name, data.decode("utf-8", "replace"))
        start = len(data[: error.start].decode("utf-8"))
        raise SpecError(
            f"the byte 0x{data[error.start]:02X} is no UTF-8 text",
            span=Span(readable, start, start + 1),
            fixes=["save the file as UTF-8"],
        ) from None
