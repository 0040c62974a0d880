"""
What a compiled model needs of its network to run, without the network.

Parsing a table and planning it take longer than loading a small model's machine code. Both depend
on nothing but the table's text and this package, so their result is kept in the user's cache: a
later process goes from the file to the first answer without the parser and the graph library.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cnndsl.cache import FileCache, default_directory
from cnndsl.checksums import digest_of_sources
from cnndsl.errors import CnnError
from cnndsl.ir.signature import Output, Signature
from cnndsl.ops.input import Input
from cnndsl.ops.text import format_op, parse_as
from cnndsl.types import f32

if TYPE_CHECKING:  # a model that is found whole needs no plan
    from cnndsl.ops.base import Param
    from cnndsl.plan.plan import Plan

# The rooms that a plan depends on; a target's own sources are its fingerprint's business.
_ROOMS = ("types.py", "limits.py", "ops", "ir", "frontend", "passes", "plan")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, the parameters that its weights must fit, and what a caller sees at both ends."""

    plan: Plan
    params: Mapping[str, Param]
    signature: Signature


def find_prepared(key: bytes) -> Prepared | None:
    """What was kept under a key, or None."""
    data = FileCache(default_directory()).get("plan", key)
    if data is None:
        return None
    try:
        return _decoded(json.loads(data))
    except (ValueError, KeyError, TypeError, CnnError):
        # Its checksum was right, so an older or newer version of this package wrote it.
        return None


def keep_prepared(key: bytes, prepared: Prepared) -> None:
    """Keep it for later processes."""
    from cnndsl.plan.text import plan_to_json

    data = {
        "plan": plan_to_json(prepared.plan),
        "params": {name: asdict(param) for name, param in prepared.params.items()},
        "signature": signature_data(prepared.signature),
    }
    FileCache(default_directory()).put("plan", key, json.dumps(data).encode())


def prepared_key(text: str, fingerprint: bytes) -> bytes:
    """The key of what belongs to a table's text and a target's fingerprint."""
    rooms = digest_of_sources(os.path.dirname(__file__), _ROOMS)
    return hashlib.sha256(fingerprint + rooms + text.encode()).digest()


def signature_data(signature: Signature) -> Any:
    """What a caller sees at both ends, as JSON has it."""
    outputs = {name: [y.type.shape, y.best] for name, y in signature.outputs.items()}
    inputs = {name: format_op(op) for name, op in signature.inputs.items()}
    return {"inputs": inputs, "outputs": outputs}


def signature_of(data: Any) -> Signature:
    """What `signature_data` wrote. Raises `ValueError`, `KeyError` or `TypeError` for another."""
    outputs = {
        name: Output(f32(*shape), "min" if best == "min" else "max")
        for name, (shape, best) in data["outputs"].items()
    }
    return Signature(
        {name: parse_as(Input, text) for name, text in data["inputs"].items()}, outputs
    )


def _decoded(data: Any) -> Prepared:
    from cnndsl.plan.text import plan_from_json

    params = {name: _param(fields) for name, fields in data["params"].items()}
    return Prepared(plan_from_json(data["plan"]), params, signature_of(data["signature"]))


def _param(fields: Any) -> Param:
    from cnndsl.ops.base import Param

    return Param(
        fields["name"],
        tuple(fields["shape"]),
        fields["init"],
        int(fields["fan_in"]),
        bool(fields["trainable"]),
        tuple(tuple(links) for links in fields["connections"]),
    )
