"""Digests of what other things were made from, and checksums of what is too much to be hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_WORD = 8
_BLOCK = 1 << 13  # words that are summed up
_PARTS = 16


def digest_of_sources(root: str, rooms: Iterable[str] = ("",)) -> bytes:
    """
    SHA-256 of all Python files in folders of `root`, and of files that are named themselves.

    A start waits for it, and pathlib would take more than twice as long.
    """
    digest = hashlib.sha256()
    for path in sorted(path for room in rooms for path in _sources(os.path.join(root, room))):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # Windows has it
        content = os.read(descriptor, os.fstat(descriptor).st_size)
        os.close(descriptor)
        for part in (path[len(root) :].encode(), content):
            digest.update(len(part).to_bytes(_WORD, "little") + part)
    return digest.digest()


def _sources(path: str) -> Iterator[str]:
    if path.endswith(".py"):
        yield path
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry.path
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)


def checksum_of_blocks(key: bytes, content: memoryview) -> bytes:
    """
    SHA-256 of a key, of the content's length, and of the sums of its blocks.

    Of each block all words of 64 bits are summed up, as fast as memory is read. So what happens to
    files is found: blocks that are missing, zeroed, torn or another file's, and flipped bits. It is
    no protection against who changes a file on purpose.
    """
    digest = hashlib.sha256(key + len(content).to_bytes(_WORD, "little"))
    whole = len(content) // _WORD
    words = np.frombuffer(content, np.uint64, whole)
    each = max(1, -(-whole // (_PARTS * _BLOCK))) * _BLOCK
    parts = [words[start : start + each] for start in range(0, whole, each)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for sums in pool.map(_sums, parts):
            digest.update(sums)
    digest.update(content[whole * _WORD :])
    return digest.digest()


def _sums(words: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> bytes:
    return np.add.reduceat(words, np.arange(0, len(words), _BLOCK)).tobytes()
