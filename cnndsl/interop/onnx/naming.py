"""Legible names for rows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op

_LONGEST = 32
_RESERVED = ("block", "end", "cnn", "network", "layer", "include", "outputs")
_SHORT = {
    "depthwise": "dw",
    "dense": "fc",
    "maxpool": "pool",
    "avgpool": "pool",
    "globalavgpool": "gap",
    "globalmaxpool": "gmp",
    "batchnorm": "bn",
    "concat": "cat",
    "flatten": "flat",
    "convtranspose": "up",
}


@dataclass(slots=True)
class Names:
    """Gives each row a name of its own."""

    taken: set[str] = field(default_factory=set[str])
    counts: Counter[str] = field(default_factory=Counter[str])

    def take(self, op: Op, op_type: str, wish: str) -> str:
        """
        A name for a row: that of its ONNX node if somebody chose it, else its kind, counted.

        >>> names = Names()
        >>> from cnndsl.ops.text import parse_op
        >>> conv = parse_op("conv maps=1 kernel=1")
        >>> names.take(conv, "Conv", "/layer1/layer1.0/conv1/Conv")
        'layer1_0_conv1'
        >>> names.take(conv, "Conv", "Conv_7"), names.take(conv, "Conv", "")
        ('conv1', 'conv2')
        """
        name = legible(wish, op_type)
        if name and name.lower() not in self.taken:
            self.taken.add(name.lower())
            return name
        kind = _SHORT.get(op.row_type, op.row_type)
        if isinstance(op, Activation):
            kind = op.name
        while True:
            self.counts[kind] += 1
            name = f"{kind}{self.counts[kind]}"
            if name not in self.taken:
                self.taken.add(name)
                return name


def legible(wish: str, op_type: str) -> str:
    """What a node's name says of its place in the network, or nothing where it only counts."""
    parts = [part for part in wish.split("/") if part]
    if parts and re.fullmatch(rf"{re.escape(op_type)}(_\d+)?", parts[-1]):
        parts.pop()
    # PyTorch repeats a module's name in those of its children: /layer1/layer1.0/...
    kept = [a for a, b in pairwise([*parts, ""]) if not b.startswith(f"{a}.")]
    name = re.sub(r"[^\w-]+", "_", "_".join(kept), flags=re.ASCII).strip("_-")
    counted = re.fullmatch(
        r"(node|op|n)?_?\d*|node_\w+|" + re.escape(op_type) + r"[_.]?\d*", name, re.I
    )
    good = re.fullmatch(r"[A-Za-z][\w-]*", name) and len(name) <= _LONGEST
    return "" if counted or not good or name.lower() in _RESERVED else name
