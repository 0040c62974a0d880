"""How a foreign tensor becomes a parameter. All conversions move numbers and say so in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from cnndsl.interop.foreign.layers import FloatArray, Layout
from cnndsl.ops.base import Op, Param
from cnndsl.ops.constant import Constant
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.rbf import Rbf

AS_IT_IS = "as it is"

Shape = tuple[int, ...]
Step = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Conversion:
    """A way from a foreign array to ours, in words and as a function."""

    words: str
    apply: Step

    def then(self, words: str, step: Step) -> Conversion:
        """This one, and a step behind it."""
        said = words if self.words == AS_IT_IS else f"{self.words}, {words}"
        return Conversion(said, lambda array: step(self.apply(array)))


def convert(op: Op, param: Param, shape: Shape, layout: Layout) -> Conversion | None:
    """From a foreign array of that shape to the parameter, or None where no conversion fits."""
    for conversion, source in _candidates(op, param, layout, shape):
        if source == shape:
            return conversion
    return None


def _candidates(
    op: Op, param: Param, layout: Layout, given: Shape
) -> Iterator[tuple[Conversion, Shape]]:
    """Conversions with the shapes that they take. The first that takes the given one is meant."""
    shape = param.shape
    as_it_is = Conversion(AS_IT_IS, lambda array: array)
    match op:
        case Conv() | Depthwise() if param.name == "weight":
            yield from _filters(op, shape, layout)
        case ConvTranspose() if param.name == "weight":
            maps, out, height, width = shape
            if layout == "keras":
                yield _axes("HWOI→IOHW", (3, 2, 0, 1)), (height, width, out, maps)
            else:
                yield as_it_is, shape
        case Dense() | Rbf() if param.name == "weight":
            yield from _columns(shape, layout, given)
        case Constant():
            yield from _tensors(shape, layout)
        case _ if len(shape) == 3 and layout == "pytorch":
            height, width, maps = shape
            yield _axes("CHW→HWC", (1, 2, 0)), (maps, height, width)
        case _:
            yield as_it_is, shape
            if len(shape) == 1:  # as Keras has slopes that all pixels share
                yield Conversion("flat", lambda array: array.reshape(-1)), (1, 1, *shape)


def _filters(
    op: Conv | Depthwise, shape: Shape, layout: Layout
) -> Iterator[tuple[Conversion, Shape]]:
    out, each, height, width = shape
    if layout == "pytorch":
        yield Conversion(AS_IT_IS, lambda array: array), shape
        yield Conversion("rows as filters", lambda a: a.reshape(shape)), (out, prod(shape[1:]))
        return
    if isinstance(op, Depthwise):
        maps = out // op.multiplier
        split = _axes("HWIM→OIHW", (2, 3, 0, 1)).then("flat", lambda a: a.reshape(shape))
        yield Conversion("HWIM→OIHW", split.apply), (height, width, maps, op.multiplier)
    yield _axes("HWIO→OIHW", (3, 2, 0, 1)), (height, width, each, out)
    yield (
        Conversion(
            "columns as filters",
            lambda a: a.reshape(height, width, each, out).transpose(3, 2, 0, 1),
        ),
        (prod(shape[1:]), out),
    )


def _columns(shape: Shape, layout: Layout, given: Shape) -> Iterator[tuple[Conversion, Shape]]:
    """A matrix, or filters as large as the image: those are flattened as the image is."""
    out, features = shape
    words = "filters as rows"
    if layout == "pytorch":
        yield Conversion(AS_IT_IS, lambda array: array), shape
        if len(given) == 4 and prod(given[1:]) == features:
            yield Conversion(words, lambda a: a.reshape(shape)), (out, *given[1:])
        return
    yield _axes("transposed", (1, 0)), (features, out)
    if len(given) == 4 and prod(given[:-1]) == features:
        yield Conversion(words, lambda a: a.reshape(features, out).T), (*given[:-1], out)


def _tensors(shape: Shape, layout: Layout) -> Iterator[tuple[Conversion, Shape]]:
    """A tensor of its own, which may stand there as a batch of one."""
    conversion, source = Conversion(AS_IT_IS, lambda array: array), shape
    if len(shape) == 3 and layout == "pytorch":
        height, width, maps = shape
        conversion, source = _axes("CHW→HWC", (1, 2, 0)), (maps, height, width)
    yield conversion, source
    first = Conversion("of a batch of one", lambda array: array[0])
    yield first.then(conversion.words, conversion.apply), (1, *source)


def _axes(words: str, axes: tuple[int, ...]) -> Conversion:
    return Conversion(words, lambda array: array.transpose(axes))
