"""The product of two slices in shared memory by the tensor cores, a warp's share in registers."""

from __future__ import annotations

from collections.abc import Callable

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, Word, emits
from cnndsl.backends.cuda.kernels.device_code import inlined, quotient
from cnndsl.backends.cuda.kernels.product import Product, zero_sums
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.shapes.tensor_core import COLUMNS, LANES, ROWS, Instruction


def tensor_core_product(tile: Tile, instruction: Instruction) -> Product:
    """
    By `mma.sync`. The left factor is rounded on its way to the registers, the right one was before.

    Of the tile's blocks of 16 rows a warp has every `down`-th, and of its blocks of 8 columns every
    `across`-th. `Instruction` says which cells of a block are a lane's: here a lane's start and
    the offsets that are the same for all lanes are told apart.
    """
    down, across = tile.workers
    blocks_down, blocks_across = tile.thread_rows, tile.thread_columns
    pitch, width, factors = tile.left_pitch, tile.right_pitch, instruction.factors
    out_pitch = tile.columns

    @inlined
    def left_start(thread: int) -> int:
        warp, lane = quotient(thread, LANES), thread % LANES
        row = quotient(warp, across) * ROWS + quotient(lane, 4)
        return row * pitch + lane % 4 * factors

    @inlined
    def right_start(thread: int) -> int:
        warp, lane = quotient(thread, LANES), thread % LANES
        column = (warp - quotient(warp, across) * across) * COLUMNS + quotient(lane, 4)
        return lane % 4 * width + column

    @inlined
    def out_start(thread: int) -> int:
        warp, lane = quotient(thread, LANES), thread % LANES
        row = quotient(warp, across)
        column = (warp - row * across) * COLUMNS + lane % 4 * 2
        return (row * ROWS + quotient(lane, 4)) * out_pitch + column

    def left_word(code: Code, memory: Memory, start: Place, offset: int) -> Word:
        loaded = code.load(memory, start, offset, factors)
        return code.rounded(instruction.format, loaded[0], loaded[-1])

    @emits(results=tile.sums)
    def multiply(
        code: Code, memory: Memory, left: Place, right: Place, sums: list[Number]
    ) -> list[Number]:
        results = [sums[i : i + 4] for i in range(0, len(sums), 4)]
        for k in range(0, tile.depth, instruction.depth):
            b: list[list[Word]] = []
            for j in range(blocks_across):
                cells = [instruction.right_cell(0, w, 0) for w in range(instruction.right_words)]
                offsets = [(k + down_k) // factors * width for down_k, _ in cells]
                block = j * across * COLUMNS
                words = [code.load(memory, right, at + block, 1)[0] for at in offsets]
                b.append([code.bits(word) for word in words])
            for i in range(blocks_down):
                cells = [instruction.left_cell(0, w, 0) for w in range(instruction.left_words)]
                offsets = [(i * down * ROWS + row) * pitch + k + along for row, along in cells]
                a = [left_word(code, memory, left, offset) for offset in offsets]
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
