"""
Darknet's forward pass once more, as plain as its C code: buffers `[c, h, w]`, section by section.

Of https://github.com/pjreddie/darknet: parser.c for options and the order of a `.weights`, and the
file of each layer for what it computes. In float64.
"""

from __future__ import annotations

import numpy as np

ACTIVATIONS = {
    "linear": lambda x: x,
    "leaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "relu": lambda x: np.maximum(x, 0),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
}


def read_cfg(text):
    """Sections as pairs of a kind and a dictionary."""
    sections = []
    for line in text.splitlines():
        if line.startswith("["):
            sections.append((line.strip("[]"), {}))
        elif "=" in line:
            name, _, value = line.partition("=")
            sections[-1][1][name.strip()] = value.strip()
    return sections


class Stream:
    """Random numbers for a network's weights, and the file that holds them."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.numbers = []

    def take(self, *shape, low=None):
        if low is None:
            spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
            array = self.random.normal(0, spread, shape).astype(np.float32)
        else:
            array = self.random.uniform(low, 1.0, shape).astype(np.float32)
        self.numbers.append(array.reshape(-1))
        return array.astype(np.float64)

    def content(self, version=(0, 2, 0)):
        seen = b"\0" * (8 if version[0] * 10 + version[1] >= 2 else 4)
        floats = np.concatenate([np.zeros(0, np.float32), *self.numbers])
        return np.array(version, "<i4").tobytes() + seen + floats.astype("<f4").tobytes()


def run_darknet(text, x, stream):
    """The outputs of all sections for one image `[c, h, w]`; draws weights as it goes."""
    (_, _), *sections = read_cfg(text)
    outputs = []
    for kind, options in sections:
        x = SECTIONS[kind](_Options(options), x, outputs, stream)
        outputs.append(x)
    return outputs


class _Options(dict):
    def int(self, name, missing):
        return int(self.get(name, missing))


def _convolutional(options, x, outputs, stream):
    maps, size, groups = options.int("filters", 1), options.int("size", 1), options.int("groups", 1)
    stride = options.int("stride", 1)
    pad = size // 2 if options.int("pad", 0) else options.int("padding", 0)
    biases = stream.take(maps)
    norm = None
    if options.int("batch_normalize", 0):
        norm = stream.take(maps, low=0.5), stream.take(maps), stream.take(maps, low=1e-3)
    each = len(x) // groups
    weights = stream.take(maps, each, size, size)
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    height = (x.shape[1] + 2 * pad - size) // stride + 1
    width = (x.shape[2] + 2 * pad - size) // stride + 1
    y = np.zeros((maps, height, width))
    for o in range(maps):
        first = o // (maps // groups) * each
        for i in range(height):
            for j in range(width):
                window = padded[
                    first : first + each,
                    i * stride : i * stride + size,
                    j * stride : j * stride + size,
                ]
                y[o, i, j] = np.sum(window * weights[o])
    return _finish(options, y, biases, norm, "logistic")


def _connected(options, x, outputs, stream):
    units = options.int("output", 1)
    biases, weights = stream.take(units), stream.take(units, x.size)
    norm = None
    if options.int("batch_normalize", 0):
        norm = stream.take(units, low=0.5), stream.take(units), stream.take(units, low=1e-3)
    y = (weights @ x.reshape(-1)).reshape(units, 1, 1)
    return _finish(options, y, biases, norm, "logistic")


def _finish(options, y, biases, norm, missing):
    if norm is not None:
        scales, mean, variance = (array[:, None, None] for array in norm)
        y = (y - mean) / (np.sqrt(variance) + 0.000001) * scales
    return ACTIVATIONS[options.get("activation", missing)](y + biases[:, None, None])


def _maxpool(options, x, outputs, stream):
    stride = options.int("stride", 1)
    size = options.int("size", stride)
    padding = options.int("padding", size - 1)
    maps, height, width = x.shape
    rows, columns = ((side + padding - size) // stride + 1 for side in (height, width))
    y = np.full((maps, rows, columns), -np.inf)
    for i in range(rows):
        for j in range(columns):
            for u in range(size):
                for v in range(size):
                    row, column = i * stride + u - padding // 2, j * stride + v - padding // 2
                    if 0 <= row < height and 0 <= column < width:
                        y[:, i, j] = np.maximum(y[:, i, j], x[:, row, column])
    return y


def _avgpool(options, x, outputs, stream):
    return x.mean((1, 2), keepdims=True)


def _upsample(options, x, outputs, stream):
    stride = options.int("stride", 2)
    return x.repeat(stride, 1).repeat(stride, 2)


def _route(options, x, outputs, stream):
    parts = [outputs[int(place)] for place in options["layers"].split(",")]
    groups, group = options.int("groups", 1), options.int("group_id", 0)
    return np.concatenate([np.split(part, groups)[group] for part in parts])


def _shortcut(options, x, outputs, stream):
    y = x + outputs[int(options["from"])]
    return ACTIVATIONS[options.get("activation", "linear")](y)


def _softmax(options, x, outputs, stream):
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def _reorg(options, x, outputs, stream):
    stride = options.int("stride", 1)
    maps, height, width = x.shape
    out_c = maps // (stride * stride)
    flat, y = x.reshape(-1), np.zeros(x.size)
    for k in range(maps):
        for j in range(height):
            for i in range(width):
                c2, offset = k % out_c, k // out_c
                w2, h2 = i * stride + offset % stride, j * stride + offset // stride
                y[i + width * (j + height * k)] = flat[
                    w2 + width * stride * (h2 + height * stride * c2)
                ]
    return y.reshape(maps * stride * stride, height // stride, width // stride)


def _same(options, x, outputs, stream):
    return x


SECTIONS = {
    "convolutional": _convolutional,
    "connected": _connected,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "route": _route,
    "shortcut": _shortcut,
    "softmax": _softmax,
    "reorg": _reorg,
    "dropout": _same,
    "yolo": _same,
    "region": _same,
    "cost": _same,
}
