"""Which tile computes a convolution, how often k is split, and the launch that follows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil, prod

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.packing import padded
from cnndsl.backends.cuda.shapes.conv_tile import FMA, ConvTileShape, SplitSumShape, Tile
from cnndsl.backends.cuda.shapes.tensor_core import QUAD
from cnndsl.backends.cuda.tile_cost import launch_cycles, split_cycles
from cnndsl.errors import TargetError
from cnndsl.types import Precision

SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
LONG_PRODUCTS = (8, 0)  # the architecture from which products of halves are 16 deep
LEAST_STEPS = 4  # slices of a split: fewer hardly fill the stages

# From the largest to the smallest, with as many stages as are of use to them; where shared memory
# is short, large ones have fewer. The last number is how many a processor has registers for.
_FLOAT_TILES = (
    Tile(256, 128, 16, 3, 16, 8, resident=1),
    Tile(128, 128, 16, 4, 8, 8, resident=2),
    Tile(128, 64, 16, 3, 8, 8, resident=4),
    Tile(128, 32, 16, 3, 8, 4, resident=5),
    Tile(64, 64, 16, 3, 8, 4, resident=5),
    Tile(32, 64, 16, 4, 4, 4, resident=7),
    Tile(32, 32, 16, 4, 4, 4, resident=14),
)
# Depths are words of the right factor.
_CORE_TILES = (
    Tile(128, 256, 16, 4, 4, 8, resident=1),
    Tile(128, 128, 16, 4, 2, 8, resident=2),
    Tile(128, 64, 16, 3, 2, 8, resident=4),
    Tile(64, 64, 16, 3, 2, 4, resident=5),
    Tile(32, 64, 16, 4, 1, 4, resident=8),
    Tile(32, 32, 16, 4, 1, 2, resident=8),
)
LEAST_STAGES = 2
# Blocks of 4 threads, and of a warp.
_SIMULATED_FLOAT_TILES = (Tile(8, 8, 4, 2, 4, 4), Tile(8, 16, 4, 3, 4, 8))
_SIMULATED_CORE_TILES = (Tile(16, 8, 8, 2, 1, 1), Tile(16, 16, 8, 3, 1, 2))


@dataclass(frozen=True, slots=True)
class TileLaunch:
    """
    A tile for a convolution, and into how many splits its k is cut.

    With one split the kernel finishes its outputs. With more it writes bare sums into `workspace`
    floats, as `[split, pixel, map]`, with no activation and a bias of zeros, and `split_sum`
    finishes them.
    """

    convolution: Convolution
    tile: Tile
    splits: int = 1

    @property
    def row_tiles(self) -> int:
        """Tiles along the pixels."""
        return ceil(self.convolution.rows / self.tile.rows)

    @property
    def column_tiles(self) -> int:
        """Tiles along the maps of a group."""
        return ceil(self.convolution.group_out / self.tile.columns)

    @property
    def slices(self) -> int:
        """Slices of the tile's depth that k has."""
        return ceil(self.convolution.reduction / self.tile.depth)

    @property
    def steps(self) -> int:
        """Slices that a split adds up."""
        return ceil(self.slices / self.splits)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Blocks: those of neighbouring columns, which read the same pixels, run together."""
        return self.row_tiles * self.column_tiles, 1, self.convolution.groups * self.splits

    @property
    def workspace(self) -> int:
        """Floats that the sums of splits take."""
        c = self.convolution
        return self.splits * c.rows * c.out_maps if self.splits > 1 else 0

    def cycles(self, gpu: Gpu) -> float:
        """An estimate of the time on a GPU, of both launches where there are two."""
        cycles = launch_cycles(self.tile, gpu, prod(self.grid), self.steps)
        if self.splits > 1:
            c = self.convolution
            cycles += split_cycles(gpu, self.splits, c.rows * c.out_maps)
        return cycles

    def fields(self, adds: bool = False, alpha: float = 0.0, beta: float = 0.0) -> ConvTileShape:
        """
        What the kernel is told: whether it adds a shortcut, and the numbers of its activation.

        With several splits these are for `split_sum_fields`.
        """
        c, tile, split = self.convolution, self.tile, self.splits > 1
        y = Strides.dense(c.size, c.out_maps) if split else c.y
        panel_row = padded(c.group_out, QUAD) * tile.column_words
        return ConvTileShape(
            rows=c.rows,
            out_height=c.size[0],
            out_width=c.size[1],
            height=c.image[0],
            width=c.image[1],
            kernel_height=c.kernel[0],
            kernel_width=c.kernel[1],
            stride_height=c.stride[0],
            stride_width=c.stride[1],
            top=c.padding[0],
            left=c.padding[1],
            dilation_height=c.dilation[0],
            dilation_width=c.dilation[1],
            group_in=c.group_in,
            group_out=c.group_out,
            groups=c.groups,
            x_image=c.x.image,
            x_row=c.x.row,
            x_pixel=c.x.pixel,
            y_image=y.image,
            y_row=y.row,
            y_pixel=y.pixel,
            y_split=c.rows * c.out_maps if split else 0,
            slices=self.slices,
            steps=self.steps,
            panel=self.slices * tile.right_rows * panel_row,
            panel_row=panel_row,
            column_tiles=self.column_tiles,
            adds=int(adds and not split),
            quads=int(c.group_out % 4 == 0 and y.divide_by(4)),
            alpha=0.0 if split else alpha,
            beta=0.0 if split else beta,
        )

    def split_sum_fields(
        self, adds: bool = False, alpha: float = 0.0, beta: float = 0.0
    ) -> SplitSumShape:
        """What `split_sum` is told."""
        c = self.convolution
        return SplitSumShape(
            splits=self.splits,
            rows=c.rows,
            maps=c.out_maps,
            x_split=c.rows * c.out_maps,
            y_pixel=c.y.pixel,
            adds=int(adds),
            alpha=alpha,
            beta=beta,
        )


def tiles(gpu: Gpu, precision: Precision, vector: int) -> list[Tile]:
    """
    The tiles that a GPU computes in that precision, reading `vector` input maps at a time.

    All have the same depth, so that they share the packed weights. Raises `TargetError` where not
    even the smallest finds shared memory.
    """
    instruction = FMA if precision == "float32" else precision
    if precision == "float16" and gpu.architecture < LONG_PRODUCTS:
        instruction = "float16_short"
    shapes = _FLOAT_TILES if precision == "float32" else _CORE_TILES
    if gpu.simulated:
        shapes = _SIMULATED_FLOAT_TILES if precision == "float32" else _SIMULATED_CORE_TILES
    asynchronous = int(gpu.has_async_copies)
    made = [
        tile._replace(instruction=instruction, vector=vector, asynchronous=asynchronous)
        for tile in shapes
    ]
    made = [tile._replace(depth=tile.depth * tile.factors) for tile in made]
    fitting = [staged for tile in made for staged in _staged(tile, gpu)[:1]]
    if not fitting:
        least = made[-1]._replace(stages=LEAST_STAGES).shared_bytes
        raise TargetError(
            f"{gpu.name} has {gpu.shared_bytes} bytes of shared memory for a block, and the "
            f"smallest tile of a convolution needs {least}",
            code="E703",
        )
    return fitting


def _staged(tile: Tile, gpu: Gpu) -> list[Tile]:
    """The tile with fewer and fewer stages, as far as it fits."""
    # Copies that the threads wait for gain nothing by more than the least.
    most = tile.stages if gpu.has_async_copies else LEAST_STAGES
    staged = [tile._replace(stages=stages) for stages in range(most, LEAST_STAGES - 1, -1)]
    return [_resident(tile, gpu) for tile in staged if tile.shared_bytes <= gpu.shared_bytes]


def _resident(tile: Tile, gpu: Gpu) -> Tile:
    """The tile, of which no more are resident than shared memory and threads allow."""
    room = gpu.resident_blocks(tile.threads, tile.shared_bytes)
    return tile._replace(resident=min(tile.resident, room))


def tile_kernel(tile: Tile, activation: str) -> Kernel:
    """The kernel whose blocks compute such tiles."""
    parameters = tuple(tile), activation
    bounds = tile.threads, tile.resident
    return Kernel("conv_tile", "conv_tile_kernel", parameters, tile.launch_bytes, bounds)


def choose_tile(convolution: Convolution, gpu: Gpu, precision: Precision = "float32") -> TileLaunch:
    """
    The cheapest launch, by estimate.

    >>> size, strides = (13, 13), Strides.dense((13, 13), 384)
    >>> conv = Convolution(1, size, size, 384, 384, strides, strides, (3, 3), padding=(1, 1))
    >>> choose_tile(conv, Gpu("H100", (9, 0), 132, 232448)).splits > 1
    True
    """
    c = convolution
    vector = 4 if c.group_in % 4 == 0 and c.x.divide_by(4) else 1
    # Split sums are finished pixel by pixel, as if all lay in one row.
    gapless = c.y.row == c.size[1] * c.y.pixel and c.y.image == c.size[0] * c.y.row
    launches: list[TileLaunch] = []
    for tile, splits in product(tiles(gpu, precision, vector), SPLITS if gapless else (1,)):
        launch = TileLaunch(c, tile, splits)
        if launch.steps >= LEAST_STEPS or splits == 1:
            launches.append(TileLaunch(c, tile, ceil(launch.slices / launch.steps)))
    return min(launches, key=lambda launch: launch.cycles(gpu))
