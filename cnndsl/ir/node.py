"""One application of an operator."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.base import Op
from cnndsl.source import Span


@dataclass(frozen=True)
class Node:
    """
    `name = op(*inputs)`, then each operator of `epilogue` in turn on the result.

    `row` is the table row that it comes from. Its parameters are called `<row>.<param>`. The
    epilogue holds elementwise operators that a pass has drawn in.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    row: str
    span: Span | None = None
    epilogue: tuple[Op, ...] = ()
