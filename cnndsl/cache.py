"""A user's cache on disk: what can be made again, kept as checked files for later processes."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import re
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from struct import Struct
from typing import IO

from cnndsl.checksums import checksum_of_blocks

_MAGIC, _MAPPED_MAGIC = b"CNNDSLC1", b"CNNDSLM1"
_HEADER = Struct("<8s32s32s")  # magic, checksum of all that follows it, key
_CHECKED_FROM = 8 + 32
_MAPPED_FROM = 4096  # where the content of an entry begins that is mapped: a page

MOST_BYTES = 512 * 2**20
"""What a cache may hold; beyond it, those entries go that were not used for the longest time."""
MOST_MAPPED_BYTES = 2**30
"""The same, of large entries that are mapped, which are counted by themselves."""
_SHARE_OF_DISK = 8
"""An entry that is mapped is kept only where so many of it are free on the disk."""
MOST_UNUSED = 30 * 24 * 3600.0
"""Seconds after which an entry goes that nobody has used."""
# A use is noted no more often than this, in seconds: it costs a write.
_NOTED_EVERY = 24 * 3600.0
# A draft that is older than this many seconds was left by a process that was killed.
_DRAFT_LIVES = 3600.0

_ENTRY = re.compile(r"(?P<name>.+)-[0-9a-f]{24}\.(?P<kind>cache|map)")
_DRAFT = re.compile(r".+-[0-9a-f]{24}\.[0-9]+-[0-9]+")

_warned_of = set[Path]()  # the folders that a warning of this process has named


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


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a cache: what it holds, its size in bytes, and when it was last used."""

    path: Path
    name: str
    size: int
    used: float

    @property
    def is_mapped(self) -> bool:
        """Whether it is one of the large ones."""
        return self.path.suffix == ".map"


class FileCache:
    """
    A folder of files, each named by what it holds and found by a digest of what it was made from.

    A file is trusted only where it belongs to this user and its checksum and its key are right;
    anything else is a miss, and the next `put` mends it. Files appear whole or not at all, so
    several processes can share the folder without locks. Old entries go when new ones come: see
    `MOST_BYTES` and `MOST_UNUSED`. Files that are not the cache's are left alone.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pruned = False

    def path(self, name: str, key: bytes) -> Path:
        """The file of `name`, made from what `key` (32 bytes) digests."""
        return self.directory / f"{name}-{key.hex()[:24]}.cache"

    def mapped_path(self, name: str, key: bytes) -> Path:
        """The same, of an entry that is mapped."""
        return self.path(name, key).with_suffix(".map")

    def get(self, name: str, key: bytes) -> bytes | None:
        """What is stored under `key`, or None where there is nothing to be trusted."""
        try:
            with self.path(name, key).open("rb") as file:
                if not _is_ours(file.fileno()):
                    return None
                data = file.read()
                _note_use(file.fileno(), file.name)
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

    def put(self, name: str, key: bytes, data: bytes, *, is_missed: bool = True) -> None:
        """
        Keep `data` for later processes.

        A folder that cannot be written costs a process a warning, where what is lost `is_missed`.
        """
        checked = key + data
        whole = _MAGIC + hashlib.sha256(checked).digest() + checked
        try:
            self._write(self.path(name, key), lambda file: file.write(whole))
        except OSError as error:
            if is_missed and self.directory not in _warned_of:
                _warned_of.add(self.directory)
                self._warn(error)

    def map(self, name: str, key: bytes) -> memoryview | None:
        """
        What `put_mapped` stored under `key`, read-only and in place, or None.

        It begins at a page. Who maps it shares its memory with all who do, and it can be used as
        long as the view lives, whatever becomes of the cache.
        """
        try:
            with self.mapped_path(name, key).open("rb") as file:
                if not _is_ours(file.fileno()):
                    return None
                whole = _mapped(file)
                _note_use(file.fileno(), file.name)
        except (OSError, ValueError):  # the latter for an empty file
            return None
        if len(whole) < _MAPPED_FROM:
            return None
        magic, checksum, stored_key = _HEADER.unpack_from(whole)
        if magic != _MAPPED_MAGIC or stored_key != key:
            return None
        content = whole[_MAPPED_FROM:]
        return content if checksum_of_blocks(key, content) == checksum else None

    def put_mapped(self, name: str, key: bytes, parts: Sequence[bytes | memoryview]) -> None:
        """
        Keep much data, as parts one behind the other, for later processes to map.

        It is not kept, and nobody is warned, where it would take too much of the cache or the disk.
        """
        size = _MAPPED_FROM + sum(len(part) for part in parts)
        if 2 * size > MOST_MAPPED_BYTES:
            return

        def write(file: IO[bytes]) -> None:
            file.write(bytes(_MAPPED_FROM))
            for part in parts:
                file.write(part)
            file.flush()
            checksum = checksum_of_blocks(key, _mapped(file)[_MAPPED_FROM:])
            file.seek(0)
            file.write(_HEADER.pack(_MAPPED_MAGIC, checksum, key))

        with contextlib.suppress(OSError):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.directory).free >= _SHARE_OF_DISK * size:
                self._write(self.mapped_path(name, key), write)

    def _write(self, path: Path, write: Callable[[IO[bytes]], object]) -> None:
        """Let a file appear whole, or not at all. Raises `OSError`."""
        draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("w+b") as file:
                write(file)
            draft.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        if not self._pruned:  # once is enough: a process writes little
            self._pruned = True
            self.prune()

    def entries(self) -> list[Entry]:
        """All that is kept, of whatever version."""
        return [
            Entry(path, match["name"], size, used)
            for path, size, used in self._files()
            if (match := _ENTRY.fullmatch(path.name)) and _is_entry(path, size)
        ]

    def prune(self) -> None:
        """Remove what was not used for long, and the oldest of what is too much."""
        now = time.time()
        room = {False: MOST_BYTES, True: MOST_MAPPED_BYTES}
        self._remove_drafts(now - _DRAFT_LIVES)
        for entry in sorted(self.entries(), key=lambda entry: entry.used, reverse=True):
            room[entry.is_mapped] -= entry.size
            if room[entry.is_mapped] < 0 or now - entry.used > MOST_UNUSED:
                _remove(entry.path)

    def clear(self) -> list[Entry]:
        """Remove all entries, and nothing else that lies in the folder. Returns the removed."""
        self._remove_drafts(time.time() - _DRAFT_LIVES)
        return [entry for entry in self.entries() if _remove(entry.path)]

    def is_writable(self) -> bool:
        """Whether entries can be kept, found by writing a file and removing it."""
        probe = self.directory / f"probe-{'0' * 24}.{os.getpid()}-{threading.get_ident()}"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """The folder's own files: where they are, their sizes and when they were last used."""
        try:
            paths = list(self.directory.iterdir())
        except OSError:
            return
        for path in paths:
            with contextlib.suppress(OSError):  # another process may have removed it
                status = path.lstat()
                if S_ISREG(status.st_mode):
                    yield path, status.st_size, status.st_mtime

    def _remove_drafts(self, before: float) -> None:
        for path, _, used in self._files():
            if used < before and _DRAFT.fullmatch(path.name):
                _remove(path)

    def _warn(self, error: OSError) -> None:
        warnings.warn(
            f"cannot write to the cache {self.directory} ({error.strerror}), so every process "
            "compiles anew; CNNDSL_CACHE_DIR=FOLDER names another",
            CacheWarning,
            stacklevel=2,
        )


def _mapped(file: IO[bytes]) -> memoryview:
    """A file's content in place, read-only. Raises `ValueError` for an empty one."""
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _note_use(descriptor: int, path: str) -> None:
    """Let a file's time say when it was last used."""
    now = time.time()
    if now - os.fstat(descriptor).st_mtime > _NOTED_EVERY:
        with contextlib.suppress(OSError):  # a folder that is not ours is still read
            os.utime(path, (now, now))


def _is_entry(path: Path, size: int) -> bool:
    """Whether a file that is named like an entry is one, or what a damaged disk left of one."""
    if size < _HEADER.size:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) in (_MAGIC, _MAPPED_MAGIC)
    except OSError:
        return False


def _remove(path: Path) -> bool:
    """Remove a file, and say whether that could be done."""
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _is_ours(descriptor: int) -> bool:
    """Whether an open file belongs to this user or to root: another's machine code is not run."""
    if sys.platform == "win32":
        return True
    return os.fstat(descriptor).st_uid in (os.geteuid(), 0)
