"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cnndsl.errors import FileError
from cnndsl.files import unwritable


def write_whole(path: Path, content: bytes) -> None:
    """
    Write a file as a draft beside it that is renamed: a full disk leaves the old file as it was.

    What is no plain file, a pipe or a device, is written to directly. Raises `FileError`.
    """
    if not path.name or "\0" in path.name:
        raise FileError(f"{str(path)!r} is no path of a file")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        # Where the path is a link, what it leads to is replaced, and not the link.
        target = path.resolve()
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            draft.write_bytes(content)
            draft.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        raise unwritable(path, error) from None
    except RuntimeError as error:  # a loop of links in older Pythons
        raise FileError(f"cannot write {path}: {error}") from None
