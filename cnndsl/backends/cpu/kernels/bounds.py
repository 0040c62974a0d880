"""What most activation functions of convolutional networks are: bounds of the cells written."""

from dataclasses import dataclass
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.vectors import Vector


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds that the fields `low` and `high` of a kernel set, in every lane."""

    low: Vector
    high: Vector

    @staticmethod
    def of(code: Code, f: Any) -> "Bounds":
        """Those of the fields `f`."""
        return Bounds(*[code.vector(code.float_field(bits)) for bits in (f.low, f.high)])

    def clamp(self, cells: Vector) -> Vector:
        """The cells, none below `low` or above `high`; NaN stays NaN."""
        return cells.at_least(self.low).at_most(self.high)
