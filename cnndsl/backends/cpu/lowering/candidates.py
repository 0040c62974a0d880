"""The algorithms for a convolution: which of them can compute it, and which are exact enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cnndsl.backends.cpu.lowering.conv import conv_shape
from cnndsl.backends.cpu.lowering.conv_depthwise import fits_depthwise
from cnndsl.backends.cpu.lowering.conv_planar import fits_planar, most_maps
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv
from cnndsl.backends.cpu.lowering.epilogue import ACCUMULATING
from cnndsl.backends.cpu.lowering.winograd_ways import margin, winograd_name, winograd_ways
from cnndsl.backends.cpu.target import Target
from cnndsl.ops.conv import Conv
from cnndsl.ops.text import format_op, parse_op
from cnndsl.plan.strategy import NO_HALO, Choice, Halo
from cnndsl.types import Numerics

Image = tuple[int, int, int]
"""Height, width and maps."""


@dataclass(frozen=True, slots=True)
class ConvWork:
    """
    A convolution of images of one size: what an algorithm is chosen for.

    >>> work = ConvWork.of(Conv(96, (11, 11), (4, 4)), (227, 227, 3))
    >>> work.name
    'conv maps=96 kernel=11x11 stride=4 of 227x227x3'
    >>> ConvWork.parse(work.name) == work
    True
    """

    conv: Conv
    x: Image

    @staticmethod
    def of(conv: Conv, x: Image) -> ConvWork:
        """The work of a convolution, without what no algorithm's time depends on."""
        return ConvWork(replace(conv, bias=True, connect=()), x)

    @property
    def name(self) -> str:
        """All of it, as text."""
        return f"{format_op(self.conv)} of {'x'.join(map(str, self.x))}"

    @staticmethod
    def parse(name: str) -> ConvWork:
        """The work of that name. Raises `ValueError` or `CnnError` where it is none."""
        op, _, size = name.rpartition(" of ")
        height, width, maps = map(int, size.split("x"))
        conv = parse_op(op)
        if not isinstance(conv, Conv):
            raise ValueError(f"{op} is no convolution")
        return ConvWork(conv, (height, width, maps))

    @property
    def shape(self) -> ConvShape:
        """What is computed."""
        return conv_shape(self.conv, self.x)


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    An algorithm for a convolution, and what it asks of the operand's memory.

    `error_ratio` bounds its error over that of a plain sum. `refusal` says why it may not or cannot
    compute this one; it is empty where it may. `way` is how Winograd's algorithm would. Others are
    preferred to it unless it promises to be `margin` times as fast.
    """

    kernel: str
    halo: Halo = NO_HALO
    contiguous: bool = False
    error_ratio: float = 1.0
    refusal: str = ""
    way: WinogradConv | None = None
    margin: float = 1.0

    @property
    def choice(self) -> Choice:
        """The algorithm as the planner is told of it."""
        accumulates = self.kernel in ACCUMULATING
        return Choice(self.kernel, self.halo, self.contiguous, accumulates=accumulates)


def candidates(work: ConvWork, numerics: Numerics) -> tuple[Candidate, ...]:
    """All algorithms, those that are refused too, under the rules of `numerics`."""
    return tuple(_candidates(work, numerics, Target.host()))


def allowed(work: ConvWork, numerics: Numerics) -> tuple[Candidate, ...]:
    """The algorithms that are not refused: at least the one that can compute everything."""
    return tuple(c for c in candidates(work, numerics) if not c.refusal)


def _candidates(work: ConvWork, numerics: Numerics, machine: Target) -> Iterator[Candidate]:
    conv, shape, image = work.conv, work.shape, (work.x[0], work.x[1])
    (top, bottom), (left, right) = conv.window.grown_sides(image)
    halo = (top, bottom, left, right)

    yield Candidate("conv_direct", halo)

    strict = "numerics strict: it does not sum the products of the definition"
    ways = winograd_ways(shape, machine)
    for way in ways:
        yield Candidate(
            winograd_name(way),
            way.halo(image),
            error_ratio=way.error_ratio,
            refusal=strict if numerics == "strict" else "",
            way=way,
            margin=margin(way),
        )
    if not ways:
        winograd = "only filters of 2 to 8 steps a side, not dilated, that read all of some maps"
        yield Candidate("conv_winograd", refusal=winograd)

    planar = f"only one input map, step by step, to at most {most_maps(machine)} maps"
    yield Candidate("conv_planar", halo, refusal="" if fits_planar(shape, machine) else planar)

    refusal = "" if fits_depthwise(shape) else "only groups of 1, 2 or 4 maps that read as many"
    yield Candidate("conv_depthwise", halo, refusal=refusal)

    # One window that is the whole image: each output is a product with all of its cells.
    is_dense = conv.kernel == image and conv.groups == 1 and not any(halo)
    refusal = "" if is_dense else "only windows of the whole image"
    yield Candidate("dense", contiguous=True, refusal=refusal)
    if is_dense:
        yield Candidate("dense_images", contiguous=True)
