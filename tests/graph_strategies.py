"""
Random small graphs: images of about 6x6 with few maps.

They are drawn piece by piece, a piece being what stands together in networks, so that passes find
what they look for.
"""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from op_cases import random_weights

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types, operand_types
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.constant import Constant
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalAvgPool
from cnndsl.ops.input import Input
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.mul import Mul
from cnndsl.ops.pad import Pad
from cnndsl.ops.padding import Padding
from cnndsl.ops.prelu import Prelu
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.separable import Separable
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Part, Slice
from cnndsl.types import TensorType

FUNCTIONS = ["relu", "relu6", "leaky_relu(0.1)", "silu", "sigmoid", "linear", "softmax"]
SIDES = st.sampled_from([((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (1, 0))])
RARELY = st.integers(0, 3).map(lambda number: number == 3)
EPSILONS = st.sampled_from([1e-3, 0.1])


@dataclass
class Draft:
    """A graph as it grows."""

    draw: st.DrawFn
    nodes: list[Node] = field(default_factory=list[Node])
    types: dict[str, TensorType] = field(default_factory=dict[str, TensorType])

    def put(self, op: Op, *inputs: str) -> str:
        name = f"N{len(self.nodes)}"
        self.types[name] = op.infer(*(self.types[i] for i in inputs))
        self.nodes.append(Node(name, op, inputs, name))
        return name

    def maybe(self, op: Op, x: str) -> str:
        return self.put(op, x) if self.draw(st.booleans()) else x


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs with one to three inputs, some below rows that do not read them, and outputs."""
    draft = Draft(draw)
    last = draft.put(draw(inputs()))
    for _ in range(draw(st.integers(1, 4))):
        x = draw(st.sampled_from([*[last] * 12, *draft.types]))
        kinds = [layer, layer, layer, residual, twins, gate, join, fixed, other]
        grow = draw(st.sampled_from(kinds))
        last = grow(draft, x)
        if len([n for n in draft.nodes if isinstance(n.op, Input)]) < 3 and draw(RARELY):
            last = meet(draft, last, draft.put(draw(inputs(draft.types[last].shape))))
    others = draw(st.lists(st.sampled_from([*draft.types]), max_size=2))
    return Graph(tuple(draft.nodes), tuple(draw(st.permutations([last, *others]))))


def inputs(shape: tuple[int, ...] = ()) -> st.SearchStrategy[Input]:
    """Input rows; where an image's shape is given, often of its size."""
    sizes = st.tuples(st.integers(1, 6), st.integers(1, 6))
    if len(shape) == 3:
        sizes = st.just(shape[:2]) | sizes
    return st.builds(Input, st.integers(1, 4), sizes, layout=st.sampled_from(["nhwc", "nchw"]))


def meet(draft: Draft, x: str, entry: str) -> str:
    """What has been computed, joined with another input: side by side, or as vectors."""
    sizes = [draft.types[name].shape[:-1] for name in (x, entry)]
    if sizes[0] != sizes[1]:
        x, entry = (
            draft.put(Flatten(), name) if draft.types[name].is_image else name
            for name in (x, entry)
        )
    return draft.put(Concat(), *draft.draw(st.permutations([x, entry])))


def layer(draft: Draft, x: str) -> str:
    """A filter with what stands around it in networks."""
    draw, x_type = draft.draw, draft.types[x]
    if not x_type.is_image:
        return followers(draft, draft.put(Dense(draw(st.integers(1, 6)), draw(st.booleans())), x))
    if draw(st.booleans()):
        x = draft.put(Pad(draw(SIDES), draw(st.sampled_from(["zeros", "zeros", "edge"]))), x)
    return followers(draft, draft.put(draw(filters(draft.types[x])), x))


def filters(x: TensorType) -> st.SearchStrategy[Op]:
    kernel = st.tuples(*(st.integers(1, min(3, side)) for side in x.height_width))
    padding = st.sampled_from([Padding("valid"), Padding("same_upper")]) | st.builds(
        Padding, st.just("explicit"), SIDES
    )
    maps, common = st.integers(1, 4), {"padding": padding, "bias": st.booleans()}
    conv = st.builds(Conv, maps, kernel, **common)
    # The output grows with each transposed convolution, so only a small image gets one.
    grows = max(x.height_width) < 4
    return st.one_of(
        conv,
        st.builds(Conv, maps, kernel, st.just((2, 1)), **common),
        st.builds(Depthwise, kernel, multiplier=st.integers(1, 2), **common),
        st.builds(Separable, maps, kernel, **common),
        st.builds(ConvTranspose, maps, kernel, bias=st.booleans()) if grows else conv,
    )


def followers(draft: Draft, y: str) -> str:
    """Perhaps a normalization, a function and dropout."""
    draw = draft.draw
    y = draft.maybe(BatchNorm(draw(EPSILONS), draw(st.booleans()), draw(st.booleans())), y)
    y = draft.maybe(Activation(draw(st.sampled_from(FUNCTIONS))), y)
    return draft.maybe(Dropout(0.5), y)


def residual(draft: Draft, x: str) -> str:
    """A filter that keeps the shape, and its operand added."""
    x_type = draft.types[x]
    op: Op = Dense(x_type.size)
    if x_type.is_image:
        op = Conv(x_type.maps, (3, 3), padding=Padding("same"))
    y = draft.maybe(BatchNorm(1e-3), draft.put(op, x))
    return followers(draft, draft.put(Add(), *draft.draw(st.permutations([x, y]))))


def twins(draft: Draft, x: str) -> str:
    """The same computed twice, and joined."""
    functions = st.sampled_from([Activation("relu"), Activation("tanh")])
    op = draft.draw(functions | plain(draft.types[x]))
    a, b = draft.put(op, x), draft.put(op, x)
    return draft.put(draft.draw(st.sampled_from([Add(), Mul(), Concat()])), a, b)


def gate(draft: Draft, x: str) -> str:
    """Squeeze and excite, more or less."""
    if not draft.types[x].is_image:
        return draft.put(Mul(), x, draft.put(Activation("sigmoid"), x))
    pooled = draft.put(GlobalAvgPool(), x)
    if draft.draw(st.booleans()):
        pooled = draft.put(Flatten(), pooled)
    return draft.put(Mul(), x, followers(draft, pooled))


def join(draft: Draft, x: str) -> str:
    """Maps or features behind those of another value, and perhaps more before or behind them."""
    sizes = {name: y.shape[:-1] for name, y in draft.types.items()}
    beside = [name for name, size in sizes.items() if size == sizes[x] and name != x]
    beside = beside or [x]
    y = draft.put(Concat(), x, draft.draw(st.sampled_from(beside)))
    if draft.draw(st.booleans()):
        y = draft.put(
            Concat(), *draft.draw(st.permutations([y, draft.draw(st.sampled_from(beside))]))
        )
    return y


def fixed(draft: Draft, x: str) -> str:
    """A learnt tensor beside another value: as large, of its maps, or what rows make of one."""
    draw, shape = draft.draw, draft.types[x].shape
    if draw(st.booleans()):
        return draft.put(Mul(), *draw(st.permutations([x, draft.put(Constant(shape[-1]))])))
    y = draft.put(Constant(shape[-1], shape[:-1] or None))
    for _ in range(draw(st.integers(0, 2))):
        y = draft.put(draw(st.sampled_from([Activation("relu"), BatchNorm(1e-3)])), y)
    return draft.put(
        draw(st.sampled_from([Add(), Mul(), Concat()])), *draw(st.permutations([x, y]))
    )


def other(draft: Draft, x: str) -> str:
    return followers(draft, draft.put(draft.draw(plain(draft.types[x])), x))


def plain(x: TensorType) -> st.SearchStrategy[Op]:
    """Operators that are no filters."""
    ops: list[Op] = [
        Activation("relu"),
        Activation("tanh"),
        Prelu("map"),
        Dropout(0.5),
        Reshape(x.shape),
        Slice(),
    ]
    if x.is_image:
        ops += [MaxPool((1, 1), (1, 1)), Slice(Part(0, 1)), Shuffle(1), Shuffle(x.maps)]
        ops += [LayerNorm(1e-3, "maps"), Resize("nearest", factor=(1, 1)), Reshape((x.size,))]
        ops += [MaxPool((1, 1), (2, 2)), Pad(((0, 0), (0, 0))), Flatten("chw")]
    return st.sampled_from(ops)


def weights_of(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """Random float64 weights for all parameters of a graph."""
    rng, types = np.random.default_rng(seed), infer_types(graph)
    return {
        f"{node.prefix}.{name}": array
        for node in graph.nodes
        for name, array in random_weights(node.op.params(*operand_types(node, types)), rng).items()
    }


def images_of(graph: Graph, batch: int, seed: int) -> tuple[np.ndarray, ...]:
    """Random images `[n, h, w, c]` for each of a graph's inputs."""
    rng = np.random.default_rng(seed + 1)
    return tuple(rng.standard_normal((batch, *node.op.infer().shape)) for node in graph.inputs)


def in_layout_of(graph: Graph, i: int, x: np.ndarray) -> np.ndarray:
    """Images for input `i` in the layout of its row."""
    turned = graph.inputs[i].op.layout == "nchw"
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if turned else x
