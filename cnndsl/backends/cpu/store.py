"""Compiled kernels on disk: one checked file an object, shared by every process of a user."""

import contextlib
import hashlib
import os
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

_MAGIC = b"CNNDSLK1"
_HEADER = Struct("<8s32s32sI")  # magic, checksum of all that follows it, key, symbol's length
_CHECKED_FROM = 8 + 32


class CacheWarning(UserWarning):
    """The kernel cache cannot be written; every process compiles for itself."""


@dataclass(frozen=True, slots=True)
class CompiledObject:
    """The object file of one kernel, and the symbol to call in it."""

    symbol: str
    code: bytes


def default_directory() -> Path:
    """
    Where this user's kernels are kept.

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


class ObjectStore:
    """
    A folder of compiled kernels.

    A file is trusted only where it belongs to this user and its checksum and its key are right;
    anything else is a miss, and the next `put` mends it. Files appear whole or not at all.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._warned = False

    def path(self, name: str, key: bytes) -> Path:
        """The file of the kernel `name` made from what `key` digests."""
        return self.directory / f"{name}-{key.hex()[:24]}.kernel"

    def get(self, name: str, key: bytes) -> CompiledObject | None:
        """The object stored under `key`, or None where there is none to be trusted."""
        try:
            with self.path(name, key).open("rb") as file:
                if not _is_ours(file.fileno()):
                    return None
                data = file.read()
        except OSError:
            return None
        if len(data) < _HEADER.size:
            return None
        magic, checksum, stored_key, length = _HEADER.unpack_from(data)
        if magic != _MAGIC or stored_key != key:
            return None
        if hashlib.sha256(memoryview(data)[_CHECKED_FROM:]).digest() != checksum:
            return None
        end = _HEADER.size + length
        return CompiledObject(data[_HEADER.size : end].decode(), data[end:])

    def put(self, name: str, key: bytes, compiled: CompiledObject) -> None:
        """Keep `compiled` for later processes. A folder that cannot be written costs a warning."""
        symbol = compiled.symbol.encode()
        checked = key + Struct("<I").pack(len(symbol)) + symbol + compiled.code
        data = _MAGIC + hashlib.sha256(checked).digest() + checked
        path = self.path(name, key)
        draft = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(data)
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            message = f"kernels are compiled anew in every process: cannot write {self.directory}"
            warnings.warn(f"{message} ({error.strerror})", CacheWarning, stacklevel=2)


def _is_ours(descriptor: int) -> bool:
    """Whether an open file belongs to this user or to root: another's machine code is not run."""
    if sys.platform == "win32":
        return True
    return os.fstat(descriptor).st_uid in (os.geteuid(), 0)
