"""
What a convolution costs by an algorithm, before anything runs: arithmetic, and weights from memory.

Both are counted in what a machine's roof is measured in, multiply-adds and bytes, and their times
are added: a kernel asks for weights ahead, but not far enough to hide one time behind the other.
Tiles are whole, so what they waste at the ends of an image and of the maps is counted too. The
constants were fitted to all shapes of the shipped specs, measured on Zen 3 with AVX2;
`python -m benchmarks.model` compares what comes out with a machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from cnndsl.backends.cpu.lowering.candidates import Candidate, ConvWork
from cnndsl.backends.cpu.lowering.conv_direct import best_tile
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv
from cnndsl.backends.cpu.lowering.dense_images import FEW_IMAGES, dense_images_tile
from cnndsl.backends.cpu.lowering.overheads import overheads_of
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.profiling import Roof

_FLOAT = 4  # bytes

# In multiply-adds that take as long:
TILE = 800.0  # to begin a tile of a direct convolution and to write it
DEPTHWISE = 2.2  # a multiply-add whose weight and input are both loaded for it
PIXEL = 5.0  # a float that a depthwise convolution reads or writes of an image
PLANAR = 2.4  # a multiply-add on pixels that are turned to rows of maps


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds, and bytes that come from memory."""

    macs: float
    bytes_read: float

    def seconds(self, roof: Roof) -> float:
        """
        How long they take under a roof.

        >>> Cost(macs=5e7, bytes_read=2e6).seconds(Roof(gflops=100.0, gigabytes=20.0))
        0.0011
        """
        return 2 * self.macs / (roof.gflops * 1e9) + self.bytes_read / (roof.gigabytes * 1e9)


def nominal_roof(machine: Target) -> Roof:
    """
    What one core of such a machine is assumed to reach where nobody has measured it.

    What it multiplies and adds a cycle at 3.4 GHz, and what servers and desktops stream alike:
    those that halve AVX2, older or smaller ones, stream less. Choices depend on the ratio of the
    two, which is that of a slower clock with slower memory, too.
    """
    macs_a_cycle = machine.vectors_a_cycle * machine.lanes
    return Roof(gflops=2 * macs_a_cycle * 3.4, gigabytes=17.0 if machine.halves_avx2 else 26.0)


def cost(work: ConvWork, candidate: Candidate, batch: int = 1) -> Cost:
    """What one image of a batch costs by a candidate that can compute it."""
    machine = Target.host()
    if candidate.way:
        return _winograd(work, candidate.way, machine, batch)
    alone = _COSTS[candidate.kernel](work, machine)
    lanes = dense_images_tile(machine).whole(batch) if candidate.kernel == "dense_images" else batch
    return Cost(alone.macs * lanes / batch, alone.bytes_read / batch)


def _direct(work: ConvWork, machine: Target) -> Cost:
    shape = work.shape
    tile = best_tile(shape, machine)
    panels = shape.groups * ceil(shape.group_out / tile.width)
    tiles = ceil(shape.pixels / tile.pixels) * panels
    macs = tiles * tile.pixels * tile.width * shape.reduction / tile.efficiency
    weights = panels * tile.width * shape.reduction
    return Cost(macs + tiles * TILE, weights * _FLOAT)


def _winograd(work: ConvWork, way: WinogradConv, machine: Target, batch: int) -> Cost:
    beside = overheads_of(machine)
    macs = way.macs_alike(batch, beside) + beside.edge * _moved(work)
    return Cost(macs, way.weights_read(batch) * _FLOAT)


def _planar(work: ConvWork, machine: Target) -> Cost:
    return Cost(PLANAR * work.shape.macs, 0.0)


def _depthwise(work: ConvWork, machine: Target) -> Cost:
    return Cost(DEPTHWISE * work.shape.macs + PIXEL * _moved(work), 0.0)


def _dense(work: ConvWork, machine: Target) -> Cost:
    alone = _dense_images(work, machine)
    return Cost(FEW_IMAGES * alone.macs, alone.bytes_read)


def _dense_images(work: ConvWork, machine: Target) -> Cost:
    shape = work.shape
    return Cost(shape.macs, shape.out_maps * shape.reduction * _FLOAT)


_COSTS: dict[str, Callable[[ConvWork, Target], Cost]] = {
    "conv_direct": _direct,
    "conv_planar": _planar,
    "conv_depthwise": _depthwise,
    "dense": _dense,
    "dense_images": _dense_images,
}


def _moved(work: ConvWork) -> int:
    """Floats of an image that are read, and of one that is written."""
    height, width, maps = work.x
    return height * width * maps + work.shape.pixels * work.shape.out_maps
