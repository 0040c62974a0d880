"""What files of weights that are zip files, or HDF5's, can do to who reads them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from cnndsl.interop.foreign.layers import unreadable
from cnndsl.limits import Limits

UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,  # also what nests too deep, is encrypted, or is packed in an unknown way
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged or hostile file raises: its parts may be missing or of any type."""

_FULL_SIZE = 64 * 2**20
"""Bytes up to which a member may be packed as tightly as it likes."""
_TIGHTEST = 100
"""Weights that were packed are hardly smaller; a member of nothing but zeros is 1000 times so."""


def require_unpackable(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise `WeightsError` for an archive whose members would fill the memory."""
    members = archive.infolist()
    bombs = [m for m in members if m.file_size > max(_FULL_SIZE, _TIGHTEST * m.compress_size)]
    if bombs:
        raise unreadable(
            path, f"{bombs[0].filename} unpacks to {bombs[0].file_size:,} bytes, mostly of nothing"
        )
    total = sum(member.file_size for member in members)
    if total > Limits().memory:
        raise unreadable(path, f"it unpacks to {total:,} bytes, which is more than the limit")
