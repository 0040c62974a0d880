"""The parser of a grammar, whose tables the user's cache keeps: making them takes a while."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from io import BytesIO
from typing import Any

import lark

from cnndsl.cache import FileCache, default_directory

TABLES = "grammar"
"""What the cache's entry is called."""


def parser_of(grammar: str, *, placeholders: bool = True) -> lark.Lark:
    """
    Lark's parser of a grammar, which leaves `placeholders` for what is not there.

    What is kept is as trusted as the machine code beside it: a cache's entry is this user's, whole,
    and was made by this version of Lark and of Python.
    """
    lark_of: Any = lark.Lark
    cache, key = FileCache(default_directory()), _key(grammar, placeholders)
    kept = cache.get(TABLES, key)
    if kept is not None:
        with suppress(Exception):  # whatever Lark makes of them: they can be made again
            return lark_of.load(BytesIO(kept))
    made = lark_of(grammar, parser="lalr", maybe_placeholders=placeholders)
    content = BytesIO()
    made.save(content)
    cache.put(TABLES, key, content.getvalue(), is_missed=False)
    return made


def _key(grammar: str, placeholders: bool) -> bytes:
    parts = [lark.__version__, sys.version, f"lalr {placeholders}", grammar]
    return hashlib.sha256("\0".join(parts).encode()).digest()
