"""A user's cache on disk: what can be made again, kept as checked files for later processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import warnings
from pathlib import Path
from struct import Struct

_MAGIC = b"CNNDSLC1"
_HEADER = Struct("<8s32s32s")  # magic, checksum of all that follows it, key
_CHECKED_FROM = 8 + 32


class CacheWarning(UserWarning):
    """The cache cannot be written; every process makes everything for itself."""


def default_directory() -> Path:
    """
    Where this user's cache is kept.

    CNNDSL_CACHE_DIR where it is set, else a folder "cnndsl" in the platform's place for caches.
    """
    chosen = os.environ.get("CNNDSL_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local) if local else Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        xdg = os.environ.get("XDG_CACHE_HOME")
        base = Path(xdg) if xdg else Path.home() / ".cache"
    return base / "cnndsl"


class FileCache:
    """
    A folder of files, each named by what it holds and found by a digest of what it was made from.

    A file is trusted only where it belongs to this user and its checksum and its key are right;
    anything else is a miss, and the next `put` mends it. Files appear whole or not at all, so
    several processes can share the folder without locks.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._warned = False

    def path(self, name: str, key: bytes) -> Path:
        """The file of `name`, made from what `key` (32 bytes) digests."""
        return self.directory / f"{name}-{key.hex()[:24]}.cache"

    def get(self, name: str, key: bytes) -> bytes | None:
        """What is stored under `key`, or None where there is nothing to be trusted."""
        try:
            with self.path(name, key).open("rb") as file:
                if not _is_ours(file.fileno()):
                    return None
                data = file.read()
        except OSError:
            return None
        if len(data) < _HEADER.size:
            return None
        magic, checksum, stored_key = _HEADER.unpack_from(data)
        if magic != _MAGIC or stored_key != key:
            return None
        if hashlib.sha256(memoryview(data)[_CHECKED_FROM:]).digest() != checksum:
            return None
        return data[_HEADER.size :]

    def put(self, name: str, key: bytes, data: bytes) -> None:
        """Keep `data` for later processes. A folder that cannot be written costs a warning."""
        checked = key + data
        path = self.path(name, key)
        draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(_MAGIC + hashlib.sha256(checked).digest() + checked)
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            message = f"every process compiles anew: cannot write {self.directory}"
            warnings.warn(f"{message} ({error.strerror})", CacheWarning, stacklevel=2)


def _is_ours(descriptor: int) -> bool:
    """Whether an open file belongs to this user or to root: another's machine code is not run."""
    if sys.platform == "win32":
        return True
    return os.fstat(descriptor).st_uid in (os.geteuid(), 0)
