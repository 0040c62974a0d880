"""
Read safetensors files in place, and write them whole.

The safetensors package copies each tensor into memory of its own (of 256 MiB of weights in 0.2 s,
where a view of the mapped file takes 0.3 ms and no memory), and packs tensors where they fall. A
large network's weights are best left where they are, mapped, aligned and shared between processes.
The tests hold both readings of a file to each other.

The format: 8 bytes little-endian length, a JSON header of that length, blanks at its end allowed,
then the tensors' bytes without gaps; https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import CnnError, FileError
from cnndsl.files import unreadable, unwritable

_DTYPES: dict[str, str] = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_OTHER_DTYPES = ("I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "F8_E4M3", "F8_E5M2")
_LARGEST_HEADER = 100_000_000
_LENGTH_BYTES = 8
_LFS_POINTER = b"version https://git-lfs"
_MOST_CELLS = 2**60
"""NumPy counts bytes in 63 bits, also where a side is 0."""

CACHE_LINE = 64
"""Bytes; where a tensor of whole lines begins."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor of a file: its element type as safetensors calls it, and its raw bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview

    @property
    def is_float(self) -> bool:
        """Whether `float32` can read it."""
        return self.dtype in _DTYPES

    def float32(self) -> NDArray[np.float32]:
        """The values: a read-only view of the file where it holds float32, else a copy."""
        raw = np.frombuffer(self.data, _DTYPES[self.dtype]).reshape(self.shape)
        if self.dtype == "BF16":  # the upper half of a float32
            return (raw.astype(np.uint32) << 16).view(np.float32)
        if self.dtype == "F32":
            return raw
        with np.errstate(over="ignore"):
            values = raw.astype(np.float32)
        values.flags.writeable = False
        return values

    @property
    def overflows(self) -> bool:
        """Whether some of its numbers are too large for float32."""
        if self.dtype != "F64":
            return False
        raw = np.frombuffer(self.data, _DTYPES[self.dtype])
        return bool(np.any(np.isfinite(raw) & (np.abs(raw) > np.finfo(np.float32).max)))


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A mapped file: its tensors by name in the order of their bytes, and its metadata."""

    tensors: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]


def open_safetensors(path: Path, refuse: Callable[[str], CnnError]) -> SafetensorsFile:
    """
    Map a safetensors file. Every length and offset is checked before it is used.

    `refuse` makes the error of a reason, such as "it is truncated". Raises `FileError` for a
    file that cannot be opened.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size < 8:
                raise refuse("it is too short to be a safetensors file")
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise unreadable(path, error) from None
    if bytes(mapped[: len(_LFS_POINTER)]) == _LFS_POINTER:
        raise refuse("it is a pointer of Git LFS, for which `git lfs pull` brings the file")
    length = int.from_bytes(mapped[:8], "little")
    if not 2 <= length <= min(size - 8, _LARGEST_HEADER):
        raise refuse("it is no safetensors file, or it is truncated")
    header = _header(bytes(mapped[8 : 8 + length]), refuse)
    metadata = header.pop("__metadata__", {})
    if not _is_text_map(metadata):
        raise refuse("its metadata is malformed")
    body = mapped[8 + length :]
    tensors = {name: _tensor(name, entry, body, refuse) for name, entry in header.items()}
    _check_cover(header, len(body), refuse)
    return SafetensorsFile(tensors, metadata)


def _header(text: bytes, refuse: Callable[[str], CnnError]) -> dict[str, Any]:
    try:
        header: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise refuse("its header is no JSON: it is no safetensors file, or it is damaged") from None
    if not isinstance(header, dict):
        raise refuse("its header is malformed")
    return cast("dict[str, Any]", header)  # JSON's keys are texts


def _is_text_map(metadata: Any) -> bool:
    if not isinstance(metadata, dict):
        return False
    return all(isinstance(value, str) for value in cast("dict[str, Any]", metadata).values())


def _tensor(
    name: str, entry: Any, body: memoryview, refuse: Callable[[str], CnnError]
) -> StoredTensor:
    try:
        dtype, shape = str(entry["dtype"]), tuple(entry["shape"])
        begin, end = entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise refuse(f"the entry of {name!r} is malformed") from None
    counts = (*shape, begin, end)
    if not all(type(count) is int and count >= 0 for count in counts):
        raise refuse(f"the entry of {name!r} has numbers that are no sizes")
    if prod(max(side, 1) for side in shape) >= _MOST_CELLS:
        raise refuse(f"{name!r} has a shape that no array has")
    if not begin <= end <= len(body):
        raise refuse(f"it is truncated: {name!r} lies beyond its end")
    if dtype in _DTYPES:
        if end - begin != prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
            raise refuse(f"{name!r} has bytes for another shape")
    elif dtype not in _OTHER_DTYPES:
        raise refuse(f"{name!r} has the unknown element type {dtype!r}")
    return StoredTensor(dtype, shape, body[begin:end])


def _check_cover(header: Mapping[str, Any], size: int, refuse: Callable[[str], CnnError]) -> None:
    """Refuse tensors that share bytes, and bytes that are no tensor's: the format has neither."""
    place = 0
    for (begin, end), name in sorted((e["data_offsets"], name) for name, e in header.items()):
        if begin != place:
            what = "shares bytes with another tensor" if begin < place else "follows unused bytes"
            raise refuse(f"{name!r} {what}")
        place = end
    if place != size:
        raise refuse(f"{size - place:,} bytes at its end belong to no tensor")


def save_safetensors(
    path: Path, arrays: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, str]
) -> None:
    """
    Write a safetensors file. It appears whole or not at all. Raises `FileError`.

    Tensors that fill cache lines come first and begin at one: so mapped, their rows are aligned.
    """
    contiguous = {name: np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}
    ordered = sorted(contiguous.items(), key=lambda item: item[1].nbytes % CACHE_LINE != 0)
    if not path.name or "\0" in path.name:
        raise FileError(f"{str(path)!r} is no path of a file")
    if os.path.exists(path) and not path.is_file() and not path.is_dir():
        # Renaming the draft would put a file in the place of a device or a pipe.
        raise FileError(f"cannot write {path}: it is no plain file")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(_written_header(ordered, metadata))
            for _, array in ordered:
                file.write(array.data)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise unwritable(path, error) from None


def _written_header(
    ordered: Sequence[tuple[str, NDArray[np.float32]]], metadata: Mapping[str, str]
) -> bytes:
    """The header of tensors in that order, with blanks behind it up to a cache line's end."""
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        entries[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % CACHE_LINE)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text
