"""How a text names the normalization behind a row's operator: `batch(1e-5)`."""

from __future__ import annotations

import re

from cnndsl.errors import ValueRefused
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.kinds import Kind, Number
from cnndsl.ops.normalization import EPSILON, EPSILON_DOC


class NormKind(Kind):
    """
    Batch normalization with its epsilon.

    >>> NormKind().parse("batch(1e-3)").epsilon, NormKind().format(BatchNorm(1e-05))
    (0.001, 'batch(1e-05)')
    """

    @property
    def expects(self) -> str:
        return "a normalization with its epsilon such as batch(1e-5)"

    def parse(self, text: str) -> BatchNorm:
        match = re.fullmatch(r"batch(?:\(([^()]*)\))?", text, re.IGNORECASE)
        if match is None:
            raise self.refuse(text)
        if not match[1]:
            raise ValueRefused(f"write batch(epsilon): epsilon is {EPSILON_DOC}")
        return BatchNorm(EPSILON.parse(match[1]))

    def format(self, value: BatchNorm) -> str:
        return f"batch({Number().format(value.epsilon)})"
