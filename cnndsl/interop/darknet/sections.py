"""
What each kind of section computes, as rows.

The meaning of the options is that of Darknet's own source, https://github.com/pjreddie/darknet:
parser.c reads them and has the defaults, each kind has a file of its own.
"""

from __future__ import annotations

from dataclasses import replace

from cnndsl.errors import CnnError
from cnndsl.interop.darknet.builder import Builder, Slot
from cnndsl.interop.darknet.cfg import Section
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalAvgPool
from cnndsl.ops.input import Input
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.padding import Padding
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.slice import Part, Slice

EPSILON = 1e-6
"""What Darknet adds to the root of the variance."""

_ACTIVATIONS = {
    "linear": "linear",
    "logistic": "sigmoid",
    "relu": "relu",
    "relu6": "relu6",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu_tanh",
    "tanh": "tanh",
    "leaky": "leaky_relu(0.1)",
    "hardtan": "clip(-1,1)",
    "swish": "silu",
    "mish": "mish",
}


def network_input(section: Section) -> Builder:
    """The input row. Darknet maps pixels to 0..1 and pads a picture of another shape."""
    size = section.integer("height", 0), section.integer("width", 0)
    maps = section.integer("channels", 3)
    if min(*size, maps) < 1:
        raise section.error("height, width and channels must be given")
    builder = Builder()
    op = Input(maps, size, range=(0.0, 1.0), fit="pad")
    try:
        builder.results.append(builder.add(op, (), "In"))
    except CnnError as error:
        raise section.error(error.diagnostics[0].message) from None
    return builder


def convolutional(section: Section, builder: Builder) -> str:
    """
    A `conv` row. `pad=1` is half the kernel, whatever `padding` says.

    A depthwise one is a `conv` row as well, of as many groups as maps.
    """
    for name in ("binary", "xnor", "deform", "antialiasing"):
        if section.integer(name, 0):
            raise section.error(f"no row has {name}")
    size, stride = section.positive("size", 1), section.positive("stride", 1)
    padding = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
    dilation, normalized = section.positive("dilation", 1), section.integer("batch_normalize", 0)
    section.text("padding", "")
    op = Conv(
        section.positive("filters", 1),
        (size, size),
        (section.positive("stride_y", stride), section.positive("stride_x", stride)),
        _padding(padding, padding),
        (dilation, dilation),
        section.positive("groups", 1),
        not normalized,
    )
    name = builder.add(op, (builder.last,), "conv")
    result = _normalized(name, builder) if normalized else name
    _take_slots(name, result, builder, weight_last=True)
    return _activated(section, result, builder, "logistic")


def connected(section: Section, builder: Builder) -> str:
    """A `dense` row; an image is flattened map by map."""
    normalized = section.integer("batch_normalize", 0)
    op = Dense(section.positive("output", 1), bias=not normalized, flatten="chw")
    name = builder.add(op, (_vector(builder.last, builder),), "fc")
    result = _normalized(name, builder) if normalized else name
    _take_slots(name, result, builder, weight_last=False)
    return _activated(section, result, builder, "logistic")


def max_pool(section: Section, builder: Builder) -> str:
    """
    A `maxpool` row.

    `padding` counts the cells of both sides together, the odd one behind; without it, it is one
    less than the size. What it adds beyond the last window is left away.
    """
    for name in ("maxpool_depth", "antialiasing"):
        if section.integer(name, 0):
            raise section.error(f"no row has {name}")
    stride = section.positive("stride", 1)
    size = section.positive("size", stride)
    total = section.integer("padding", size - 1)
    plain = MaxPool((size, size), (stride, stride))
    padded = replace(plain, padding=_padding(total // 2, total - total // 2))
    image = builder.types[builder.last]
    alike = (
        total < 2 and min(image.height_width) >= size and plain.infer(image) == padded.infer(image)
    )
    return builder.add(plain if alike else padded, (builder.last,), "pool")


def average_pool(section: Section, builder: Builder) -> str:
    """A `globalavgpool` row."""
    return builder.add(GlobalAvgPool(), (builder.last,), "gap")


def upsample(section: Section, builder: Builder) -> str:
    """A `resize` row that repeats cells."""
    stride = section.integer("stride", 2)
    if stride < 1 or section.number("scale", 1.0) != 1.0:
        raise section.error("rows only repeat cells: a stride from 1 on, and no scale")
    return builder.add(Resize("nearest", (stride, stride)), (builder.last,), "up")


def route(section: Section, builder: Builder) -> str:
    """What other sections have computed, side by side; of each, one of `groups` if they say so."""
    places = section.integers("layers")
    if not places:
        raise section.error("layers must be given")
    groups, group = section.integer("groups", 1), section.integer("group_id", 0)
    names = [_section_result(section, place, builder) for place in places]
    if groups > 1:
        names = [_group(section, name, groups, group, builder) for name in names]
    return names[0] if len(names) == 1 else builder.add(Concat(), names, "route")


def shortcut(section: Section, builder: Builder) -> str:
    """An `add` row."""
    if section.text("weights_type", "none") != "none":
        raise section.error("no row adds with weights")
    names = [_section_result(section, place, builder) for place in section.integers("from")]
    types = {builder.types[name] for name in [builder.last, *names]}
    if len(types) != 1 or not names:
        raise section.error("it adds tensors of different shapes, which Darknet cuts to fit")
    return _activated(section, builder.add(Add(), [builder.last, *names], "add"), builder, "linear")


def softmax(section: Section, builder: Builder) -> str:
    """A softmax over all numbers of an image."""
    if section.integer("groups", 1) != 1 or section.text("tree", ""):
        raise section.error("no row takes a softmax over groups")
    if section.integer("spatial", 0) or section.number("temperature", 1.0) != 1.0:
        raise section.error("no row has spatial or temperature")
    type_ = builder.types[builder.last]
    single = not type_.is_image or type_.height_width == (1, 1)
    name = builder.last if single else _vector(builder.last, builder)
    return builder.follow(Activation("softmax"), name, "softmax")


def dropout(section: Section, builder: Builder) -> str:
    """Dropout, which does nothing once a network is trained."""
    rate = section.number("probability", 0.5)
    return builder.follow(Dropout(rate), builder.last, "dropout")


def activation(section: Section, builder: Builder) -> str:
    """An activation by itself."""
    return _activated(section, builder.last, builder, "linear")


def reorg(section: Section, builder: Builder) -> str:
    """
    Darknet's `reorg`, which is not what its name says.

    Its code reads the buffer of `[maps, h, w]` as an image of `maps / stride^2` maps and `stride`
    times the size, takes every `stride`th row and column of that, and calls the result an image of
    `stride^2` times the maps and the size divided by it.
    """
    stride = section.positive("stride", 1)
    for name in ("reverse", "flatten", "extra"):
        if section.integer(name, 0):
            raise section.error(f"no row has {name}")
    height, width, maps = builder.types[builder.last].shape
    if stride < 1 or maps % stride**2 or height % stride or width % stride:
        raise section.error(f"{height}x{width} with {maps} maps cannot be dealt out by {stride}")
    large = height * stride, width * stride, maps // stride**2
    name = builder.add(Reshape(large, "chw"), (builder.last,), "reorg")
    parts = [
        builder.add(
            Slice(row_range=Part(row, None, stride), column_range=Part(column, None, stride)),
            (name,),
            "reorg",
        )
        for row in range(stride)
        for column in range(stride)
    ]
    joined = builder.add(Concat(), parts, "reorg") if len(parts) > 1 else parts[0]
    small = height // stride, width // stride, maps * stride**2
    return builder.add(Reshape(small, "chw"), (joined,), "reorg")


def _section_result(section: Section, place: int, builder: Builder) -> str:
    """The result of a section: a number from 0 on, or below 0 one counted from here."""
    number = place + 1 if place >= 0 else len(builder.results) + place
    if not 1 <= number < len(builder.results):
        raise section.error(f"there is no section {place} before it")
    return builder.results[number]


def _group(section: Section, name: str, groups: int, group: int, builder: Builder) -> str:
    maps = builder.types[name].maps
    if maps % groups or not 0 <= group < groups:
        raise section.error(f"{maps} maps have no group {group} of {groups}")
    each = maps // groups
    op = Slice(map_range=Part(each * group, each * (group + 1)))
    return builder.add(op, (name,), "group")


def _vector(name: str, builder: Builder) -> str:
    if not builder.types[name].is_image:
        return name
    return builder.add(Flatten("chw"), (name,), "flat")


def _padding(before: int, after: int) -> Padding:
    if not (before or after):
        return Padding("valid")
    return Padding("explicit", ((before, after), (before, after)))


def _normalized(name: str, builder: Builder) -> str:
    return builder.follow(BatchNorm(EPSILON), name, "norm")


def _activated(section: Section, name: str, builder: Builder, missing: str) -> str:
    word = section.text("activation", missing)
    function = _ACTIVATIONS.get(word)
    if function is None:
        raise section.error(f"no row has the activation {word}")
    if function == "linear":
        return name
    return builder.follow(Activation(function), name, "act")


def _take_slots(name: str, norm: str, builder: Builder, *, weight_last: bool) -> None:
    """
    The places of a layer's numbers: the bias first, the weight last or before the normalization.

    What Darknet calls a layer's biases is the normalization's own where it has one.
    """
    node = next(node for node in builder.nodes if node.name == name)
    params = {p.name: p.shape for p in node.op.params(builder.types[node.inputs[0]])}
    maps = params["weight"][:1]
    weight = [Slot(name, "weight", name, params["weight"])]
    if norm == name:
        builder.slots += [Slot(name, "bias", name, maps), *weight]
        return
    rest = [
        Slot(norm, "weight", name, maps),
        Slot(norm, "mean", name, maps),
        Slot(norm, "variance", name, maps, "variance"),
    ]
    ordered = [*rest, *weight] if weight_last else [*weight, *rest]
    builder.slots += [Slot(norm, "bias", name, maps), *ordered]
