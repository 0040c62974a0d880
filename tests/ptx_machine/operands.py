"""How instructions read their operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ptx_machine.parser import Immediate, Operand, PtxError, Register, Special, Symbol
from ptx_machine.wave import Active, Wave, immediate

Run = Callable[[Wave, Active], None]
Source = Callable[[Wave], Any]


def register(operand: Operand) -> Register:
    """An operand that is a register."""
    if not isinstance(operand, Register):
        raise PtxError(f"{operand} is no register")
    return operand


def source(operand: Operand, kind: np.dtype) -> Source:
    """What reads an operand as numbers of a type."""
    match operand:
        case Register():
            return lambda wave: wave.get(operand, kind)
        case Immediate():
            number = immediate(operand, kind)
            return lambda wave: number
        case Special(name):
            return lambda wave: wave.special[name].view(kind)
        case Symbol(name):
            return lambda wave: kind.type(wave.symbols[name])
        case _:
            raise PtxError(f"{operand} is no number")
