"""A cell's text without its markup, and the ways in which tables write numbers and sizes."""

from __future__ import annotations

import html
import re
import unicodedata

_DASH = re.compile(r"[-\u2010-\u2015\u2212\u30fc]+|n/?a", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]]*)\]\([^()]*\)")
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([|\\*_`\[\]#~$-])")
_TIMES = re.compile(r"\s*(?:[xX*×✕✖⨯]|\bby\b)\s*")
_PAIR = re.compile(r"[(\[]\s*([0-9]+)\s*,\s*([0-9]+)\s*[)\]]")
_TRIPLE = re.compile(r"[(\[]\s*([0-9]+)\s*,\s*([0-9]+)\s*,\s*([0-9]+)\s*[)\]]")
_ANNOTATED = re.compile(r"([0-9][0-9, ]*?)\s*(?:\(.*\)|[^\W\d_]+)?")


def clean(text: str) -> str:
    """
    The words of a cell: no bold, code, links, HTML, TeX or full-width forms; one space between.

    >>> clean(" **Max&nbsp;pooling** "), clean("$3 \\\\times 3$"), clean("３ （RGB）")
    ('Max pooling', '3 × 3', '3 (RGB)')
    """
    text = _LINK.sub(r"\1", _TAG.sub(" ", text))
    text = html.unescape(text).replace("\\times", "×")
    text = _strip_emphasis(text.strip())
    text = _ESCAPE.sub(r"\1", text)
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _strip_emphasis(text: str) -> str:
    """Drop marks that enclose the whole cell, one pair after the other."""
    for mark in ("***", "**", "__", "*", "_", "`", "~~", "$"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return _strip_emphasis(text[len(mark) : -len(mark)].strip())
    return text


def says_nothing(text: str) -> bool:
    """
    Whether a cell is empty or a dash of any length.

    >>> says_nothing("–"), says_nothing("n/a"), says_nothing("0")
    (True, True, False)
    """
    return not text or _DASH.fullmatch(text) is not None


def number_text(text: str) -> str:
    """
    A count as the language writes it, without a remark behind it; what is none stays.

    >>> number_text("1,000"), number_text("3 (RGB)"), number_text("3 RGB"), number_text("4 096")
    ('1000', '3', '3', '4096')
    """
    match = _ANNOTATED.fullmatch(text)
    digits = match[1] if match else text
    if re.fullmatch(r"[0-9]{1,3}([, ][0-9]{3})+", digits):
        return re.sub("[, ]", "", digits)
    return digits


def extent_text(text: str) -> str:
    """
    A size or a step as the language writes it; what is none stays.

    >>> extent_text("227 × 227"), extent_text("(3, 3)"), extent_text("2"), extent_text("6*6*256")
    ('227x227', '3x3', '2', '6x6x256')
    """
    text = _TRIPLE.sub(r"\1x\2x\3", text)
    return _TIMES.sub("x", _PAIR.sub(r"\1x\2", text))


def fraction_text(text: str) -> str:
    """
    A fraction as the language writes it: `50%` is `0.5`.

    >>> fraction_text("50%"), fraction_text("0.5")
    ('0.5', '0.5')
    """
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]+)?) ?%", text)
    return repr(float(match[1]) / 100) if match else text
