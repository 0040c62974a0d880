"""The product of two slices in shared memory, a thread's share of it in registers, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, emits
from cnndsl.backends.cuda.kernels.device_code import inlined, quotient
from cnndsl.backends.cuda.shapes.conv_tile import Tile

Sums = tuple[float, ...]


class Product(NamedTuple):
    """
    What a tile does between the copies into shared memory and the results.

    `left`, `right` and `out` say where a thread's cells of the factors start in a stage's memory
    and those of the sums in that of a part. `zeros()` are its sums; `multiply(memory, left, right,
    sums)` adds a slice to them; `put(memory, out, sums, part)` writes those of a part, rows
    `part * rows / parts` and on, `out_pitch` floats apart.
    """

    left: Callable[[int], int]
    right: Callable[[int], int]
    out: Callable[[int], int]
    zeros: Callable[[], Sums]
    multiply: Callable[[Any, int, int, Sums], Sums]
    put: Callable[[Any, int, Sums, int], None]


def zero_sums(count: int) -> Callable[[], Sums]:
    """So many zeros."""

    @emits(results=count)
    def zeros(code: Code) -> list[Number]:
        return [code.zero()] * count

    return zeros


def float_product(tile: Tile) -> Product:
    """
    By the multiply-add of the ordinary cores, products added one after the other.

    Of the tile's rows a thread has every `down`-th, and of its quads of columns every `across`-th:
    then neighbours among the threads read neighbours of the factors.
    """
    down, across = tile.workers
    rows, columns, parts = tile.thread_rows, tile.thread_columns, tile.parts
    pitch, width, out_pitch = tile.left_pitch, tile.right_pitch, tile.out_pitch
    quads = range(columns // 4)

    @inlined
    def left_start(thread: int) -> int:
        return quotient(thread, across) * pitch

    @inlined
    def right_start(thread: int) -> int:
        return (thread - quotient(thread, across) * across) * 4

    @inlined
    def out_start(thread: int) -> int:
        row = quotient(thread, across)
        return row * out_pitch + (thread - row * across) * 4

    @emits(results=tile.sums)
    def multiply(
        code: Code, memory: Memory, left: Place, right: Place, sums: list[Number]
    ) -> list[Number]:
        sums = list(sums)
        for k in range(0, tile.depth, 4):
            a = [code.load(memory, left, i * down * pitch + k, 4) for i in range(rows)]
            for step in range(4):
                start = (k + step) * width
                loaded = [code.load(memory, right, start + j * across * 4, 4) for j in quads]
                b = [number for quad in loaded for number in quad]
                for cell in range(rows * columns):
                    i, j = divmod(cell, columns)
                    sums[cell] = code.fma(a[i][step], b[j], sums[cell])
        return sums

    @emits()
    def put(code: Code, memory: Memory, out: Place, sums: list[Number], part: Place) -> None:
        each = rows // parts

        def writing(first: int) -> Callable[[], None]:
            def write() -> None:
                for i in range(each):
                    row = sums[(first + i) * columns :][:columns]
                    for j in quads:
                        place = i * down * out_pitch + j * across * 4
                        code.store(row[4 * j :][:4], memory, out, place)

            return write

        code.case(part, [writing(p * each) for p in range(parts)])

    return Product(left_start, right_start, out_start, zero_sums(tile.sums), multiply, put)
