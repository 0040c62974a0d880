"""One application of an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnndsl.ops.base import Op
from cnndsl.source import Span

if TYPE_CHECKING:  # operators are imported by who asks the registry for them
    from cnndsl.ops.add import Add
    from cnndsl.ops.batch_norm import BatchNorm
    from cnndsl.ops.mul import Mul


@dataclass(frozen=True, slots=True)
class Folded:
    """
    What scales and shifts maps, and a pass has drawn into the parameters of the node before it.

    A batch normalization's own parameters are called `<prefix>.<param>`, as they were. A product
    or a sum has none: its other operand is the constant that `made_of` says, as `Node` has it.
    """

    prefix: str
    op: BatchNorm | Mul | Add
    made_of: tuple[Node, ...] = ()


def extra_operands(epilogue: tuple[Op, ...]) -> int:
    """How many tensors an epilogue reads besides the result that it changes."""
    return sum(op.operands - 1 for op in epilogue)


@dataclass(frozen=True)
class Node:
    """
    `name = op(*inputs)`, then each operator of `epilogue` in turn on the result.

    `row` is the table row that it comes from, and `part` which part of that row's operator it is,
    where the row has become several nodes with parameters. `folded` are normalizations behind the
    operator, before the epilogue: `ir.bind` computes the numbers that do for both. The epilogue
    holds elementwise operators that a pass has drawn in; those that read more than the result, as
    an add does, read the last of `inputs`. `made_of` are nodes that read no input of the network,
    in order, of which a pass has made a constant: the last one's value is the node's.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    row: str
    span: Span | None = None
    epilogue: tuple[Op, ...] = ()
    part: str = ""
    folded: tuple[Folded, ...] = ()
    made_of: tuple[Node, ...] = ()

    @property
    def recipe(self) -> tuple[Node, ...]:
        """What a constant's value is made of: other nodes, or its own tensor."""
        return self.made_of or (self,)

    @property
    def own_inputs(self) -> tuple[str, ...]:
        """What its operator reads, without what only the epilogue does."""
        return self.inputs[: len(self.inputs) - extra_operands(self.epilogue)]

    @property
    def prefix(self) -> str:
        """What its parameters' full names begin with: `C1`, or of a part, `S1.depthwise`."""
        return f"{self.row}.{self.part}" if self.part else self.row
