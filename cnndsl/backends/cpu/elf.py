"""
Object files made ready to run without LLVM, on Linux on x86-64.

A linker for what kernels are: functions and constants that refer to each other, and that call a few
functions of the C library. A file that holds anything else is refused, for LLVM's linker to take.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from struct import Struct
from typing import NamedTuple

IS_AT_HOME = sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether this machine runs what is linked here."""

_IDENTITY = b"\x7fELF\x02\x01\x01"  # of 64 bits, the lowest byte first, version 1
_RELOCATABLE, _X86_64 = 1, 62
_WRITABLE, _ALLOCATED = 1, 2  # flags of sections
_CONTENT, _SYMBOLS, _RELOCATIONS, _UNWINDING = 1, 2, 4, 0x70000001  # kinds of sections
_UNDEFINED, _GLOBAL_FUNCTION = 0, 0x12
# Kinds of relocations: how far it is to a symbol, or to what calls it, in 32 bits.
_DISTANCES = (2, 4)
# Jumps to the address behind the instruction: C's library may be farther away than 32 bits reach.
_JUMP = b"\xff\x25\x00\x00\x00\x00"
_WORD = 8

Resolve = Callable[[str], int]
"""The address of a function by its name. Raises `ForeignError` where there is none."""


class ForeignError(ValueError):
    """A file is not what compiling a kernel leaves."""


class _Section(NamedTuple):
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


class _Symbol(NamedTuple):
    name: int
    info: int
    visibility: int
    section: int
    value: int
    size: int


_HEADER, _SECTION = Struct("<7s9xHHIQQQIHHHHHH"), Struct("<IIQQQQIIQQ")
_SYMBOL, _RELOCATION = Struct("<IBBHQQ"), Struct("<QIIq")


def load_objects(objects: Sequence[bytes]) -> dict[str, int]:
    """
    The addresses of all global functions of object files, which stay in memory from now on.

    Raises `ForeignError` for a file that this cannot link, and `OSError` where the system lets no
    process make code.
    """
    process = ctypes.CDLL(None, use_errno=True)

    def address(name: str) -> int:
        if not hasattr(process, name):
            raise ForeignError(f"there is no {name}")
        return ctypes.cast(getattr(process, name), ctypes.c_void_p).value or 0

    code, functions = link(objects, address)
    start = _executable(process, code)
    return {name: start + place for name, place in functions.items()}


def link(objects: Sequence[bytes], address: Resolve) -> tuple[bytes, dict[str, int]]:
    """Code that runs wherever it lies, and where in it each global function begins."""
    code, functions = bytearray(), dict[str, int]()
    for content in objects:
        functions.update(_add(code, content, address))
    return bytes(code), functions


def _add(code: bytearray, content: bytes, address: Resolve) -> dict[str, int]:
    """Put an object file's functions and constants behind what there is; its global functions."""
    sections = list(_sections(content))
    places = {
        number: _append(code, content[section.offset :][: section.size], section.alignment)
        for number, section in enumerate(sections)
        if _is_placed(section)
    }
    symbols, names = _symbols(content, sections)
    jumps: dict[str, int] = {}

    def place_of(symbol: _Symbol) -> int:
        if symbol.section != _UNDEFINED:
            if symbol.section not in places:
                raise ForeignError("a symbol lies outside all code")
            return places[symbol.section] + symbol.value
        name = _text(names, symbol.name)
        if name not in jumps:
            jumps[name] = _append(code, _JUMP + address(name).to_bytes(_WORD, "little"), _WORD)
        return jumps[name]

    for section in sections:
        if section.kind == _RELOCATIONS and section.info in places:
            for place, kind, number, addend in _entries(content, section, _RELOCATION):
                if kind not in _DISTANCES:
                    raise ForeignError(f"a relocation of the kind {kind}")
                field = places[section.info] + place
                distance = place_of(symbols[number]) + addend - field
                code[field : field + 4] = distance.to_bytes(4, "little", signed=True)
    return {
        _text(names, symbol.name): place_of(symbol)
        for symbol in symbols
        if symbol.info == _GLOBAL_FUNCTION and symbol.section != _UNDEFINED
    }


def _append(code: bytearray, content: bytes, alignment: int) -> int:
    """Put bytes behind what there is; where they begin."""
    code += bytes(-len(code) % max(alignment, 1))
    start = len(code)
    code += content
    return start


def _sections(content: bytes) -> Iterator[_Section]:
    identity, kind, machine, _, _, _, start, _, _, _, _, size, count, _ = _HEADER.unpack_from(
        content
    )
    if (identity, kind, machine, size) != (_IDENTITY, _RELOCATABLE, _X86_64, _SECTION.size):
        raise ForeignError("no object file of x86-64's")
    return map(_Section._make, _SECTION.iter_unpack(content[start:][: count * size]))


def _is_placed(section: _Section) -> bool:
    """Whether a section is to be in memory. Nothing unwinds a kernel's stack: none raises."""
    if not section.flags & _ALLOCATED or section.kind == _UNWINDING or section.size == 0:
        return False
    if section.kind != _CONTENT or section.flags & _WRITABLE:
        raise ForeignError("a section of variables")
    return True


def _symbols(content: bytes, sections: Sequence[_Section]) -> tuple[list[_Symbol], bytes]:
    """All symbols, and the bytes of their names."""
    for section in sections:
        if section.kind == _SYMBOLS:
            names = sections[section.link]
            symbols = [_Symbol(*entry) for entry in _entries(content, section, _SYMBOL)]
            return symbols, content[names.offset :][: names.size]
    raise ForeignError("no symbols")


def _entries(content: bytes, section: _Section, kind: Struct) -> Iterator[tuple[int, ...]]:
    return kind.iter_unpack(content[section.offset :][: section.size])


def _text(names: bytes, start: int) -> str:
    return names[start : names.index(0, start)].decode()


def _executable(process: ctypes.CDLL, code: bytes) -> int:
    """
    The address of a copy of `code` that can run and never be written, for good.

    Not even a process that ends unmaps it, since its threads may still be at work.
    """
    size = -(-len(code) // mmap.PAGESIZE) * mmap.PAGESIZE
    process.mmap.restype = ctypes.c_void_p
    process.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ctypes.c_ssize_t,
    )
    process.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    start: int | None = process.mmap(None, size, writable, mmap.MAP_PRIVATE | mmap.MAP_ANON, -1, 0)
    if start is None or start == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "no memory for code")
    ctypes.memmove(start, code, len(code))
    if process.mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "no memory for code")
    return start
