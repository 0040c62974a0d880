"""Which convolutions are too thin for tiles, how threads share them, and the launch of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cnndsl.backends.cuda.convolution import Convolution
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.shapes.conv_depthwise import DepthwiseShape, DepthwiseTile, Maps
from cnndsl.backends.cuda.shapes.tensor_core import LANES

_THIN = 16  # output maps of a group that fill no tile; a guess, nothing has been measured yet
_WIDEST = 8  # filters, of which a thread computes several pixels
_PIXELS = (4, 2, 1)
_THREADS_OF_PROCESSOR = 512  # below which threads had better have fewer pixels; a guess too

# Of a thread for a row of taps of an input map, or of four; as NVIDIA's assembler makes them.
_LOAD_INSTRUCTIONS = 4
_TURN_INSTRUCTIONS = 12
_LATENCY = 100  # cycles of a turn's loads, of which the first cache has most
_RESIDENT_THREADS = 2048  # of a processor
_START = 1000  # cycles from a block's start to its first product


@dataclass(frozen=True, slots=True)
class DepthwiseLaunch:
    """A convolution, and what a thread of `threads` a block computes."""

    convolution: Convolution
    tile: DepthwiseTile
    threads: int

    @property
    def cells(self) -> int:
        """Threads that have work."""
        c = self.convolution
        runs = c.images * c.size[0] * ceil(c.size[1] / self.tile.pixels)
        return runs * c.out_maps // self.tile.out_maps

    @property
    def grid(self) -> tuple[int, int, int]:
        """Blocks."""
        return ceil(self.cells / self.threads), 1, 1

    def cycles(self, gpu: Gpu) -> float:
        """An estimate of the time on a GPU, to be compared with that of tiles."""
        c, tile = self.convolution, self.tile
        turns = c.kernel[0] * c.group_in // tile.in_maps
        loads = len(tile.columns) + tile.kernel_width * tile.in_maps
        products = tile.kernel_width * tile.in_maps * tile.sums
        each = products + _LOAD_INSTRUCTIONS * loads + _TURN_INSTRUCTIONS
        warps = ceil(self.cells / (LANES * gpu.processors))
        # Four schedulers, and shared by them one unit that loads 128 bytes a cycle.
        loading = loads * (1 if tile.maps == "single" else 4)
        return _START + turns * max(warps * max(each / 4, loading), each + _LATENCY)

    def fields(self, adds: bool = False, alpha: float = 0.0, beta: float = 0.0) -> DepthwiseShape:
        """What the kernel is told: whether it adds a shortcut, and its activation's numbers."""
        c = self.convolution
        return DepthwiseShape(
            cells=self.cells,
            out_height=c.size[0],
            out_width=c.size[1],
            height=c.image[0],
            width=c.image[1],
            kernel_height=c.kernel[0],
            stride_height=c.stride[0],
            top=c.padding[0],
            left=c.padding[1],
            dilation_height=c.dilation[0],
            group_in=c.group_in,
            group_out=c.group_out,
            out_maps=c.out_maps,
            x_image=c.x.image,
            x_row=c.x.row,
            x_pixel=c.x.pixel,
            y_image=c.y.image,
            y_row=c.y.row,
            y_pixel=c.y.pixel,
            adds=int(adds),
            alpha=alpha,
            beta=beta,
        )


def suits_depthwise(convolution: Convolution) -> bool:
    """Whether a group has so few maps that tiles would mostly multiply zeros."""
    return convolution.groups > 1 and convolution.group_out < _THIN


def may_suit_depthwise(convolution: Convolution, gpu: Gpu) -> bool:
    """Whether a convolution has so few outputs that a thread of each may be done sooner."""
    few = convolution.rows * convolution.out_maps <= gpu.processors * _RESIDENT_THREADS
    return few and not gpu.simulated and convolution.kernel[1] <= _WIDEST


def maps_of_thread(convolution: Convolution) -> Maps:
    """Which output maps a thread computes: four where they and what they read are neighbours."""
    c = convolution
    if c.out_maps % 4 or not (c.x.divide_by(4) and c.y.divide_by(4)):
        return "single"
    if c.group_in == c.group_out == 1:
        return "each"
    return "single" if c.group_in % 4 or c.group_out % 4 else "groups"


def choose_depthwise(convolution: Convolution, gpu: Gpu) -> DepthwiseLaunch:
    """The most pixels a thread that still give all processors work."""
    c = convolution
    launches: list[DepthwiseLaunch] = []
    for pixels in _PIXELS:
        tile = DepthwiseTile(maps_of_thread(c), pixels, c.kernel[1], c.stride[1], c.dilation[1])
        launches.append(DepthwiseLaunch(c, tile, gpu.threads))
        fits = c.kernel[1] <= _WIDEST and pixels <= c.size[1]
        if fits and launches[-1].cells >= gpu.processors * _THREADS_OF_PROCESSOR:
            break
    return launches[-1]
