"""
How a text names an activation function: `relu`, `clip(0,6)`.

Where frameworks mean different functions by one name, the short name says nothing and is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

from cnndsl.errors import ValueRefused
from cnndsl.ops.functions import FUNCTIONS
from cnndsl.ops.kinds import Kind, Number, shown

_ALSO = {
    "none": "linear",
    "identity": "linear",
    "swish": "silu",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "leakyrelu": "leaky_relu",
    "logsoftmax": "log_softmax",
    "pow": "power",
}

# What a word that is no name was meant to be, as Darknet, MobileNet's paper and others write it.
_CALLED = {
    "leaky": "leaky_relu",
    "lrelu": "leaky_relu",
    "rectifier": "relu",
    "hswish": "hard_swish",
    "h_swish": "hard_swish",
    "hsigmoid": "hard_sigmoid",
    "h_sigmoid": "hard_sigmoid",
    "logistic": "sigmoid",
}

_AMBIGUOUS = {
    "gelu": "gelu_erf is the default of PyTorch, ONNX and Keras, gelu_tanh that of JAX: which one?",
}

# What a name without its numbers was meant to be, in the words of PyTorch, Darknet and TensorFlow.
_USUAL = {
    "power": ("power(2)", "power(0.5)", "power(-1)"),
    "leaky_relu": ("leaky_relu(0.01)", "leaky_relu(0.1)", "leaky_relu(0.2)", "leaky_relu(0.3)"),
    "hard_sigmoid": ("hard_sigmoid(1/6,0.5)", "hard_sigmoid(0.2,0.5)"),
}


class FunctionKind(Kind):
    """
    A function's name, with its numbers in parentheses where it has any.

    A number is decimal or a fraction. A value is the canonical text itself.

    >>> FunctionKind().parse("LeakyReLU(.10)"), FunctionKind().parse("elu(1)")
    ('leaky_relu(0.1)', 'elu')
    >>> FunctionKind().parse("hard_sigmoid(1/6,0.5)")
    'hard_sigmoid(1/6,0.5)'
    """

    @property
    def expects(self) -> str:
        return f"one of {', '.join(map(_usage, FUNCTIONS))}"

    def parse(self, text: str) -> str:
        match = re.fullmatch(r"(\w+)(?:\(([^()]*)\))?", text)
        if match is None:
            raise self.refuse(text)
        word = match[1].lower()
        if word in _AMBIGUOUS:
            raise ValueRefused(f"{shown(text)} can be two functions: {_AMBIGUOUS[word]}")
        name = _ALSO.get(word, word)
        if name not in FUNCTIONS:
            raise self.refuse(text)
        written = [] if match[2] is None else match[2].split(",")
        return format_call(name, _complete(name, [_number(part) for part in written]))

    def meant(self, text: str) -> Sequence[str]:
        word, bracket, numbers = text.lower().partition("(")
        if word in _AMBIGUOUS:
            return [name for name in FUNCTIONS if name.startswith(word)]
        name = _CALLED.get(word, _ALSO.get(word, word))
        if word in _CALLED and bracket:
            return [f"{name}({numbers}"]
        return _USUAL.get(name, [name] if word in _CALLED else ())

    def choices(self) -> Sequence[str]:
        return [name for name, f in FUNCTIONS.items() if not f.required]


def read_call(text: str) -> tuple[str, tuple[float, ...]]:
    """
    The name and all numbers of a canonical text.

    >>> read_call("elu"), read_call("clip(0,6)"), read_call("relu")
    (('elu', (1.0,)), ('clip', (0.0, 6.0)), ('relu', ()))
    """
    name, _, numbers = text.removesuffix(")").partition("(")
    return name, _complete(name, [_number(part) for part in numbers.split(",") if part])


def format_call(name: str, numbers: Sequence[float]) -> str:
    """The canonical text of a function: numbers at the end that are defaults are left out."""
    kept = list(numbers)
    defaults = [constant.default for constant in FUNCTIONS[name].constants]
    while kept and kept[-1] == defaults[len(kept) - 1]:
        kept.pop()
    return f"{name}({','.join(map(format_number, kept))})" if kept else name


def format_number(value: float) -> str:
    """
    The shorter one of a number's decimal text and its fraction.

    >>> format_number(0.1), format_number(1 / 6), format_number(-3.0)
    ('0.1', '1/6', '-3')
    """
    decimal = Number().format(value)
    fraction = str(Fraction(value).limit_denominator(99))
    shorter = len(fraction) + 3 < len(decimal)
    return fraction if shorter and _number(fraction) == value else decimal


def _number(text: str) -> float:
    above, slash, below = text.partition("/")
    value = Number().parse(above)
    if not slash:
        return value
    quotient = value / Number(above=0.0).parse(below)
    if not math.isfinite(quotient):
        raise ValueRefused(f"{shown(text)} is too large")
    return quotient


def _complete(name: str, numbers: list[float]) -> tuple[float, ...]:
    """The numbers, and defaults for those left out. Raises `ValueRefused`."""
    function = FUNCTIONS[name]
    least, most = len(function.required), len(function.constants)
    if not least <= len(numbers) <= most:
        raise ValueRefused(_miscounted(name, len(numbers)))
    if function.increasing and numbers != sorted(numbers):
        raise ValueRefused(f"write {_usage(name)}, the smaller number first")
    rest = [constant.default for constant in function.constants[len(numbers) :]]
    return (*numbers, *(default for default in rest if default is not None))


def _miscounted(name: str, count: int) -> str:
    function = FUNCTIONS[name]
    if not function.constants:
        return f"{name} takes no numbers, and {count} {'is' if count == 1 else 'are'} given"
    differ = f": {function.differ}" if function.differ else ""
    return f"write {_usage(name)}{differ}"


def _usage(name: str) -> str:
    names = ",".join(constant.name for constant in FUNCTIONS[name].constants)
    return f"{name}({names})" if names and FUNCTIONS[name].required else name
