"""Rows of floats in memory: images' vectors, outputs' weights."""

from dataclasses import dataclass

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value

_FLOAT = 4  # bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """`count` rows of floats, `stride` floats apart; a row beyond the last is the last."""

    code: Code
    address: Int
    stride: Int
    count: Int

    def start(self, number: "Int | int") -> Value:
        """The pointer to a row."""
        row = self.code.integer(number).min(self.count - 1)
        return self.code.pointer(self.address + row * self.stride * _FLOAT)

    def after(self, number: "Int | int") -> "Rows":
        """The rows without the first `number`."""
        address = self.address + self.stride * number * _FLOAT
        return Rows(self.code, address, self.stride, self.count - number)
