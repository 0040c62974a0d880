"""Files that cannot be read or written: the reason in plain words, and what mends it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnndsl.errors import CnnError, FileError

_REASONS: Mapping[int | None, str] = {
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "a part of its path is a file, and no folder",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "its permissions do not allow it",
    errno.EPERM: "its permissions do not allow it",
    errno.EROFS: "its disk is read-only",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "it becomes larger than files may be here",
    errno.ELOOP: "it is a link that leads to itself",
    errno.ENAMETOOLONG: "the name is too long",
}
_PERMISSIONS = (errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MOST_NAMED = 5


def require_path(value: Any, what: str, fix: str) -> None:
    """
    Raise `CnnError` for a value that is no path: what a type would have said is said here.

    `what` says what is wanted: "a compiled model is a file's path".
    """
    try:
        is_path = isinstance(os.fspath(value), str)
    except TypeError:
        is_path = False
    if not is_path:
        raise CnnError(f"{what}, not a value of type {type(value).__name__}", fixes=[fix])


def unreadable(path: Path, error: OSError) -> FileError:
    """The error of a file that was to be read."""
    return FileError(f"cannot read {path}: {reason_of(error)}", fixes=fixes_of_reading(path, error))


def unwritable(path: Path, error: OSError) -> FileError:
    """The error of a file that was to be written."""
    folder = path.parent
    if error.errno == errno.ENOENT:
        reason = f"there is no folder {folder}"
        return FileError(f"cannot write {path}: {reason}", fixes=[f"mkdir -p {folder}"])
    fixes: list[str] = []
    if error.errno == errno.EISDIR:
        fixes = [f"a file in it, such as {path / 'NAME'}"]
    elif error.errno in _PERMISSIONS:
        fixes = [f"chmod u+w {path if os.path.exists(path) else folder}, or another folder"]
    elif error.errno in _FULL:
        fixes = [f"room on the disk of {folder}, or another folder"]
    return FileError(f"cannot write {path}: {reason_of(error)}", fixes=fixes)


def reason_of(error: OSError) -> str:
    """
    Why a file cannot be used, in the words of a user.

    >>> reason_of(FileNotFoundError(errno.ENOENT, "No such file or directory"))
    'there is no such file'
    """
    return _REASONS.get(error.errno) or error.strerror or str(error)


def fixes_of_reading(path: Path, error: OSError) -> list[str]:
    """What mends that a file cannot be read."""
    if error.errno == errno.EISDIR:
        inside = [name for name in _names(path) if not name.startswith(".")]
        return [f"a file in it: {path / inside[0]}"] if inside else ["a file: this folder is empty"]
    if error.errno in _PERMISSIONS:
        return [f"chmod u+r {path}"]
    return near_files(path)


def near_files(path: Path) -> list[str]:
    """
    Fixes for a file that is not there: the ones beside it whose names are nearest, as questions,
    or else those beside it that end alike.

    None where it is there, or where its folder cannot be read.
    """
    try:
        if os.path.lexists(path):
            return []
    except ValueError:  # a zero in it
        return []
    if not os.path.isdir(path.parent):
        return [f"another path: there is no folder {path.parent}"]
    names = _names(path.parent)
    # Imported here: what runs models needs no names of files that are not there.
    from difflib import get_close_matches

    # Endings are most of many names, and say nothing of which file is meant.
    near = get_close_matches(path.stem, {Path(name).stem for name in names}, 2)
    meant = [name for stem in near for name in names if Path(name).stem == stem]
    meant.sort(key=lambda name: Path(name).suffix != path.suffix)
    if meant:
        return [f"did you mean {path.with_name(name)}?" for name in meant[:2]]
    folder = "this folder" if path.parent == Path() else str(path.parent)
    alike = [name for name in names if path.suffix and name.endswith(path.suffix)]
    if not alike:
        return [f"another path: {folder} holds no file of a similar name"]
    more = ", ..." if len(alike) > _MOST_NAMED else ""
    return [f"one of the files in {folder}: {', '.join(alike[:_MOST_NAMED])}{more}"]


def _names(folder: Path) -> list[str]:
    """The names in a folder that can be shown and typed; none where it cannot be read."""
    try:
        return sorted(file.name for file in folder.iterdir() if file.name.isprintable())
    except (OSError, ValueError):
        return []
