"""Plain loops over the definitions of operators that compute cell by cell."""

import math
from itertools import product

import numpy as np

SCALAR_FUNCTIONS = {
    "relu": lambda v: v if v > 0 else 0.0,
    "tanh": math.tanh,
    "scaled_tanh": lambda v: 1.7159 * math.tanh(2 * v / 3),
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "linear": lambda v: v,
    "relu6": lambda v: min(max(0, v), 6),
    "clip": lambda v, low, high: low if v < low else high if v > high else v,
    "leaky_relu": lambda v, alpha: v if v >= 0 else alpha * v,
    "elu": lambda v, alpha=1.0: v if v > 0 else alpha * (math.exp(v) - 1),
    # The constants as PyTorch prints them.
    "selu": lambda v: (
        1.0507009873554804934193349852946
        * (v if v > 0 else 1.6732632423543772848170429916717 * (math.exp(v) - 1))
    ),
    "silu": lambda v: v / (1 + math.exp(-v)),
    "gelu_erf": lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2,
    "gelu_tanh": lambda v: (
        0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v * v * v)))
    ),
    "hard_sigmoid": lambda v, alpha, beta: max(0, min(1, alpha * v + beta)),
    "hard_swish": lambda v: 0 if v <= -3 else v if v >= 3 else v * (v + 3) / 6,
    "softplus": lambda v: math.log(1 + math.exp(v)),
    "abs": lambda v: v if v >= 0 else -v,
    "exp": lambda v: math.e**v,
    "power": lambda v, exponent: math.prod([v] * int(exponent)),
    "mish": lambda v: v * math.tanh(math.log(1 + math.exp(v))),
}


def activation(op, x):
    name, _, written = op.activation.rstrip(")").partition("(")
    numbers = [eval(number) for number in written.split(",") if number]  # 1/6 is a number too
    y = np.zeros(x.shape)
    for where in np.ndindex(x.shape):
        if name in ("softmax", "log_softmax"):
            share = math.exp(x[where]) / sum(math.exp(v) for v in x[where[:-1]])
            y[where] = share if name == "softmax" else math.log(share)
        else:
            y[where] = SCALAR_FUNCTIONS[name](x[where], *numbers)
    return y, 0


def add(op, *operands):
    y = np.zeros(operands[0].shape)
    for where in np.ndindex(y.shape):
        y[where] = sum(x[where] for x in operands)
    return y, 0


def mul(op, *operands):
    """An operand's axis of one cell is read at 0, whatever the place; a vector has maps only."""
    rank = max(x.ndim for x in operands)
    shapes = [x.shape if x.ndim == rank else (len(x), 1, 1, x.shape[1]) for x in operands]
    y = np.ones([max(sides) for sides in zip(*shapes, strict=True)])
    for where in np.ndindex(y.shape):
        for x in operands:
            place = where if x.ndim == rank else (where[0], where[-1])
            y[where] *= x[tuple(0 if n == 1 else k for k, n in zip(place, x.shape, strict=True))]
    return y, 0


def normalized(op, x, together, weight, bias):
    """`together(where)` are the cells whose mean and variance hold for the cell at `where`."""
    y = np.zeros(x.shape)
    for where in np.ndindex(x.shape):
        cells = [float(x[place]) for place in together(*where)]
        mean = math.fsum(cells) / len(cells)
        variance = math.fsum((cell - mean) ** 2 for cell in cells) / len(cells)
        y[where] = (x[where] - mean) / math.sqrt(variance + op.epsilon)
        place = where[-1] if weight is None or weight.ndim == 1 else where[1:]
        y[where] *= 1.0 if weight is None else weight[place]
        place = where[-1] if bias is None or bias.ndim == 1 else where[1:]
        y[where] += 0.0 if bias is None else bias[place]
    return y, 0


def batchnorm(op, x, mean, variance, weight=None, bias=None):
    y = np.zeros(x.shape)
    for where in np.ndindex(x.shape):
        c = where[-1]
        y[where] = (x[where] - mean[c]) / math.sqrt(variance[c] + op.epsilon)
        y[where] *= 1.0 if weight is None else weight[c]
        y[where] += 0.0 if bias is None else bias[c]
    return y, 0


def groupnorm(op, x, weight=None, bias=None):
    _, height, width, maps = x.shape
    size = maps // op.groups

    def together(n, i, j, c):
        group = range(c // size * size, c // size * size + size)
        return product([n], range(height), range(width), group)

    return normalized(op, x, together, weight, bias)


def instancenorm(op, x, weight=None, bias=None):
    _, height, width, _ = x.shape

    def together(n, i, j, c):
        return product([n], range(height), range(width), [c])

    return normalized(op, x, together, weight, bias)


def layernorm(op, x, weight=None, bias=None):
    def together(*where):
        if op.over == "image":
            return product([where[0]], *map(range, x.shape[1:]))
        return [(*where[:-1], c) for c in range(x.shape[-1])]

    return normalized(op, x, together, weight, bias)


def prelu(op, x, weight):
    y = np.zeros(x.shape)
    for where in np.ndindex(x.shape):
        place = {"map": where[-1], "one": 0, "cell": where[1:]}[op.slopes]
        y[where] = x[where] if x[where] > 0 else weight[place] * x[where]
    return y, 0


DEFINITIONS = {
    "activation": activation,
    "add": add,
    "mul": mul,
    "batchnorm": batchnorm,
    "groupnorm": groupnorm,
    "instancenorm": instancenorm,
    "layernorm": layernorm,
    "prelu": prelu,
}
