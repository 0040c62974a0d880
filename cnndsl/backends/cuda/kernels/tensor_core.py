"""The product of two slices in shared memory by the tensor cores, a warp's share in registers."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, Word, emits
from cnndsl.backends.cuda.kernels.device_code import inlined, quotient
from cnndsl.backends.cuda.kernels.product import Product, zero_sums
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.shapes.tensor_core import (
    COLUMNS,
    LANES,
    MATRIX_ROWS,
    QUAD,
    ROWS,
    Instruction,
)


def tensor_core_product(tile: Tile, instruction: Instruction) -> Product:
    """
    By `mma.sync`. The left factor is rounded on its way to the registers, the right one was before.

    Of the tile's blocks of 16 rows a warp has every `down`-th, and of its blocks of 8 columns every
    `across`-th. A warp loads four matrices of 8 rows of 4 words at a time: of the left factor two
    of rows by two of k, of the right one as many as its instructions share. Where two factors share
    a word they come from two matrices of the left factor, so that k and k + 4 meet; the right
    factor is packed likewise, and the order of k is nothing to a sum. `Instruction` says which
    lanes hold what.
    """
    down, across = tile.workers
    blocks_down, blocks_across = tile.thread_rows, tile.thread_columns
    pitch, width, factors = tile.left_pitch, tile.right_pitch, instruction.factors
    out_pitch, right_words = tile.out_pitch, instruction.right_words
    together = gcd(4, blocks_across * right_words)  # matrices of the right factor

    @inlined
    def left_start(thread: int) -> int:
        warp, lane = quotient(thread, LANES), thread % LANES
        row = quotient(warp, across) * ROWS + lane % ROWS
        return row * pitch + quotient(lane, ROWS) * QUAD

    @inlined
    def right_start(thread: int) -> int:
        warp, lane = quotient(thread, LANES), thread % LANES
        matrix = quotient(lane, MATRIX_ROWS) % together
        block = quotient(matrix, right_words)
        column = (warp - quotient(warp, across) * across + block * across) * COLUMNS
        column += lane % MATRIX_ROWS
        return (matrix - block * right_words) * width + column * QUAD

    @inlined
    def out_start(thread: int) -> int:
        warp, lane = quotient(thread, LANES), thread % LANES
        row = quotient(warp, across)
        column = (warp - row * across) * COLUMNS + lane % 4 * 2
        return (row * ROWS + quotient(lane, 4)) * out_pitch + column

    def left_fragment(code: Code, memory: Memory, start: Place, offset: int) -> list[Word]:
        """Of `depth` k; by the instruction, words of upper and lower rows take turns."""
        columns: list[list[Number]] = []  # by 4 k: upper rows, lower rows
        for k in range(0, instruction.depth, 2 * QUAD):
            loaded = code.matrices(memory, start, offset + k, 4)
            columns += [loaded[:2], loaded[2:]]
        shares = zip(columns[::factors], columns[factors - 1 :: factors], strict=True)
        return [
            code.rounded(instruction.format, low[half], high[half])
            for low, high in shares
            for half in range(2)
        ]

    def right_fragments(code: Code, memory: Memory, start: Place, offset: int) -> list[list[Word]]:
        """Of each block of columns."""
        words: list[Word] = []
        step = together // right_words * across * COLUMNS * QUAD
        for first in range(blocks_across * right_words // together):
            loaded = code.matrices(memory, start, offset + first * step, together)
            words += [code.bits(number) for number in loaded]
        return [words[i : i + right_words] for i in range(0, len(words), right_words)]

    @emits(results=tile.sums)
    def multiply(
        code: Code, memory: Memory, left: Place, right: Place, sums: list[Number]
    ) -> list[Number]:
        results = [sums[i : i + 4] for i in range(0, len(sums), 4)]
        for step in range(tile.depth // instruction.depth):
            b = right_fragments(code, memory, right, step * right_words * width)
            for i in range(blocks_down):
                offset = i * down * ROWS * pitch + step * instruction.depth
                a = left_fragment(code, memory, left, offset)
                for j in range(blocks_across):
                    at = i * blocks_across + j
                    results[at] = code.mma(instruction, a, b[j], results[at])
        return [number for result in results for number in result]

    @emits()
    def put(code: Code, memory: Memory, out: Place, sums: list[Number], part: Place) -> None:
        def writing(first: int) -> Callable[[], None]:
            def write() -> None:
                for j in range(blocks_across):
                    for number in (0, 2):  # two sums are neighbours
                        row, _ = instruction.sum_cell(0, number)
                        place = row * out_pitch + j * across * COLUMNS
                        pair = sums[(first + j) * 4 + number :][:2]
                        code.store(pair, memory, out, place)

            return write

        code.case(part, [writing(i * blocks_across) for i in range(blocks_down)])

    return Product(left_start, right_start, out_start, zero_sums(tile.sums), multiply, put)
