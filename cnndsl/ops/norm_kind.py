"""How a text names the normalization behind a row's operator: `batch(1e-5)`."""

from __future__ import annotations

import re
from collections.abc import Sequence

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

    def meant(self, text: str) -> Sequence[str]:
        """
        With the epsilon that is written, or else those of PyTorch and of Keras.

        >>> NormKind().meant("BatchNorm(1e-3)"), NormKind().meant("bn")
        (['batch(1e-3)'], ['batch(1e-5)', 'batch(1e-3)'])
        """
        name, _, epsilon = text.removesuffix(")").partition("(")
        if not re.fullmatch("bn|batch.*", name, re.IGNORECASE):
            return ()
        return [f"batch({number})" for number in ([epsilon] if epsilon else ["1e-5", "1e-3"])]

    def format(self, value: BatchNorm) -> str:
        return f"batch({Number().format(value.epsilon)})"
