"""
The tiles of the matrix product that computes convolutions and dense layers.

The rows of the product are the pixels of all images, its columns the output maps of a group, and
its depth k counts the taps of the filter and, within a tap, the input maps of the group:
`k = (u * kernel_width + v) * group_in + c`. The left factor is never written down: a block of
threads gathers its rows from the images. The right factor is packed ahead; see `packing.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from cnndsl.backends.cuda.shapes.tensor_core import (
    COLUMNS,
    INSTRUCTIONS,
    LANES,
    QUAD,
    ROWS,
    Instruction,
)

FMA = "fma"
"""The name of the multiply-add of the ordinary cores, in float32."""

PLACE_INTS = 4
"""What is noted of a row of a tile: where its window starts in x, in rows, in columns, and y."""


class ConvTileShape(NamedTuple):
    """
    A convolution. Strides and places count floats, all else cells.

    `rows` are the pixels of all output images. Of the `slices` of a tile's depth that k has, a
    split adds up `steps`. `panel` leads from the packed weights of a group to the next group's,
    `panel_row` from one row of them to the next. `y_split` leads from the sums of a split to the
    next one's. `addend` has the strides of y; it is read where `adds` is 1. `quads` is 1 where four
    output maps of y can be written at once: the maps of a group, its strides and its start divide
    by 4.
    """

    rows: int
    out_height: int
    out_width: int
    height: int
    width: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    top: int
    left: int
    dilation_height: int
    dilation_width: int
    group_in: int
    group_out: int
    groups: int
    x_image: int
    x_row: int
    x_pixel: int
    y_image: int
    y_row: int
    y_pixel: int
    y_split: int
    slices: int
    steps: int
    panel: int
    panel_row: int
    column_tiles: int
    adds: int
    quads: int
    alpha: float
    beta: float


class Tile(NamedTuple):
    """
    What a block of threads computes: `rows` x `columns` sums, `depth` products each at a time.

    Of these slices of depth, `stages` lie in shared memory, so that some travel while one is
    multiplied. `instruction` is `FMA`, where a thread has `thread_rows` x `thread_columns` sums, or
    one of `INSTRUCTIONS`, where a warp has that many results of it. `vector` input maps are copied
    at a time, 4 or 1. Copies are asynchronous from compute capability 8.0 on. A processor has room
    for `resident` blocks: the assembler gives a thread no more registers than that leaves.

    >>> Tile(128, 64, 16, 3, 8, 8).threads, Tile(128, 64, 32, 2, 4, 4, "tf32").threads
    (128, 128)
    """

    rows: int
    columns: int
    depth: int
    stages: int
    thread_rows: int
    thread_columns: int
    instruction: str = FMA
    vector: int = 4
    asynchronous: int = 1
    resident: int = 1

    @property
    def tensor_core(self) -> Instruction | None:
        """The instruction of the tensor cores, if it is theirs."""
        return None if self.instruction == FMA else INSTRUCTIONS[self.instruction]

    @property
    def factors(self) -> int:
        """Weights that share a word."""
        return self.tensor_core.factors if self.tensor_core else 1

    @property
    def workers(self) -> tuple[int, int]:
        """How many threads or warps share the rows, and the columns."""
        rows, columns = (ROWS, COLUMNS) if self.tensor_core else (1, 1)
        return (
            self.rows // (self.thread_rows * rows),
            self.columns // (self.thread_columns * columns),
        )

    @property
    def threads(self) -> int:
        """Threads of a block."""
        down, across = self.workers
        return down * across * (LANES if self.tensor_core else 1)

    @property
    def copy_rows(self) -> int:
        """Rows of the left factor that a block copies at a time."""
        return self.threads // (self.depth // self.vector)

    @property
    def is_even(self) -> bool:
        """Whether threads share rows, columns and copies evenly, as the kernel takes them to."""
        core = self.tensor_core
        rows, columns = (ROWS, COLUMNS) if core else (1, 1)
        divisions = [
            (self.rows, self.thread_rows * rows),
            (self.columns, self.thread_columns * columns),
            (self.thread_columns, 1 if core else 4),
            (self.thread_rows, self.parts),
            (self.depth, core.depth if core else 4),
            (self.threads, self.depth // self.vector),
            (self.rows, self.copy_rows),
        ]
        return all(divisor and number % divisor == 0 for number, divisor in divisions)

    @property
    def sums(self) -> int:
        """Sums in a thread's registers."""
        each = ROWS * COLUMNS // LANES if self.tensor_core else 1
        return self.thread_rows * self.thread_columns * each

    @property
    def left_pitch(self) -> int:
        """Floats from a row of the left factor to the next: quads of eight rows meet all banks."""
        return self.depth + 4

    @property
    def column_words(self) -> int:
        """Words of a column in a row of the right factor: for tensor cores, those of a matrix."""
        return QUAD if self.tensor_core else 1

    @property
    def right_rows(self) -> int:
        """Rows of the right factor in a slice."""
        return self.depth // (self.factors * self.column_words)

    @property
    def right_pitch(self) -> int:
        """Words from one row of the right factor to the next."""
        return self.columns * self.column_words

    @property
    def right_start(self) -> int:
        """Where the right factor starts in a stage."""
        return self.rows * self.left_pitch

    @property
    def stage(self) -> int:
        """Words of a stage: a slice of both factors."""
        return self.right_start + self.right_rows * self.right_pitch

    @property
    def parts(self) -> int:
        """In how many parts the sums pass through shared memory on their way out."""
        if self.tensor_core:
            return self.thread_rows
        parts = 1
        while self.rows // parts * self.out_pitch > self.stages * self.stage:
            parts *= 2
        return parts

    @property
    def out_pitch(self) -> int:
        """
        Floats from a row of a part of the sums to the next.

        Lanes of the tensor cores write pairs of sums in eight rows at a time: so they meet all
        banks.
        """
        return self.columns + (COLUMNS if self.tensor_core else 0)

    @property
    def memory(self) -> int:
        """Words of shared memory for the stages, and later for a part of the sums."""
        return max(self.stages * self.stage, self.rows // self.parts * self.out_pitch)

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory: what a launch brings, and the places of the rows."""
        return self.launch_bytes + 4 * PLACE_INTS * self.rows

    @property
    def launch_bytes(self) -> int:
        """Bytes of shared memory that a launch brings."""
        return 4 * self.memory


class SplitSumShape(NamedTuple):
    """
    Sums of splits to be added: `y = sum over s of x[s]`, of `rows` pixels of `maps`.

    `x_split` leads from a split to the next; `y_pixel` from one pixel of y and addend to the next.
    """

    splits: int
    rows: int
    maps: int
    x_split: int
    y_pixel: int
    adds: int
    alpha: float
    beta: float
