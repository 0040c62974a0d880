"""How large a text and a network may be. A spec is hostile input until these have been checked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnndsl.errors import ValueRefused

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True, slots=True)
class Limits:
    """
    All are checked with Python's integers, before anything is allocated.

    `rows` counts those of the text, and again those that its blocks expand to. `nesting` is how
    deep blocks stand in blocks, and included files in files. `memory` is in bytes and counts
    weights and the largest sum of activations alive at once, for one image.
    """

    text_bytes: int = 2**20
    line_length: int = 10_000
    rows: int = 10_000
    nesting: int = 16
    dimension: int = 2**24
    memory: int = 8 * 2**30


def parse_bytes(text: str) -> int:
    """
    A number of bytes: `4096`, `512M`, `8GiB`.

    >>> parse_bytes("8G") == 8 * 2**30, parse_bytes("512 MiB") == 2**29
    (True, True)
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?)(i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueRefused(f"{text!r} is not a number of bytes such as 512M or 8G")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def format_bytes(count: int) -> str:
    """
    A number of bytes for people, in powers of 1024.

    >>> format_bytes(1536), format_bytes(10), format_bytes(3 * 2**30)
    ('1.5 KiB', '10 B', '3.0 GiB')
    """
    for unit in ("T", "G", "M", "K"):
        if count >= _UNITS[unit]:
            return f"{count / _UNITS[unit]:.1f} {unit}iB"
    return f"{count} B"
