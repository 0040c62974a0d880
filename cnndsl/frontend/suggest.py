"""Did you mean?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.syntax import Word

# Comparing costs the product of the lengths, and a hostile text is full of long words.
_LONGEST = 40
_MOST = 500

TYPE_NAMES: Mapping[str, str] = {
    "pool": "maxpool",
    "pooling": "maxpool",
    "ip": "dense",
    "upsample": "resize",
    "upsampling": "resize",
    "upsampling2d": "resize",
    "interpolate": "resize",
    "deconv": "convtranspose",
    "deconvolution": "convtranspose",
    "upconv": "convtranspose",
    "convtranspose2d": "convtranspose",
    "conv2dtranspose": "convtranspose",
    "conv_transpose": "convtranspose",
    "zeropad": "pad",
    "zeropadding2d": "pad",
    "crop": "slice",
    "shortcut": "add",
    "route": "concat",
}
"""Row types as other tools call them, where a table that is pasted in is not read so."""

COLUMN_NAMES: Mapping[str, str] = {
    "filters": "maps",
    "features": "maps",
    "neurons": "maps",
    "depth": "maps",
    "shape": "size",
    "output": "size",
    "kernel_size": "kernel",
    "ksize": "kernel",
    "k_size": "kernel",
    "filter_size": "kernel",
    "pool_size": "kernel",
    "out_channels": "maps",
    "out_size": "size",
    "scale": "factor",
    "scale_factor": "factor",
    "eps": "epsilon",
    "filter": "kernel",
    "window": "kernel",
    "strides": "stride",
    "pad": "padding",
    "act": "activation",
    "function": "activation",
    "input": "from",
    "inputs": "from",
    "p": "rate",
    "ceil_mode": "rounding",
    "weights": "params",
    "flops": "macs",
    "divisor_override": "divisor",
}
"""Columns and options as other tools call them."""

VALUES: Mapping[str, str] = {
    "true": "yes",
    "on": "yes",
    "false": "no",
    "off": "no",
    "none": "linear",
    "null": "-",
    "n/a": "-",
    "zero": "same",
}
"""Values as other tools write them."""


def closest(word: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """
    The one of `known` that `word` was probably meant to be, or an empty text.

    >>> closest("stryde", ["kernel", "stride"]), closest("xyz", ["kernel"])
    ('stride', '')
    """
    if len(word) > _LONGEST:
        return ""
    names = list(islice(known, _MOST))
    lower = {name.lower(): name for name in names}
    plain = word.lower().replace("-", "").replace(" ", "")
    meant = (synonyms or {}).get(word.lower(), (synonyms or {}).get(plain, plain))
    if meant in lower:
        return lower[meant]
    matches = get_close_matches(word.lower(), list(lower), n=1, cutoff=0.6)
    return lower[matches[0]] if matches else ""


def did_you_mean(
    word: Word, known: Iterable[str], synonyms: Mapping[str, str] | None = None
) -> list[Fix]:
    """The fix that writes the closest known name instead, if there is one."""
    best = closest(word.text, known, synonyms)
    return [Fix(f"did you mean {best}?", (Edit(word.span, best),))] if best else []
