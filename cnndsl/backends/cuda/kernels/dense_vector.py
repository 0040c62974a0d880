"""Dense layers of a few images, at the speed of memory. See shapes/dense_vector.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, Truth, emits
from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.finish import finishers
from cnndsl.backends.cuda.kernels.loads import ALIGNMENT
from cnndsl.backends.cuda.kernels.product import zero_sums
from cnndsl.backends.cuda.shapes.dense_vector import (
    LANES,
    OUTPUTS,
    WORDS,
    DenseVectorShape,
    VectorTile,
    lane_inputs,
)


def dense_vector_kernel(tile: VectorTile, activation: str) -> Callable[..., None]:
    """The kernel of such blocks: outputs along x, images along y."""
    tile = VectorTile(*tile)
    zeros, accumulate, finish_sums = zero_sums(tile.sums), _accumulator(tile), _summer(tile)
    finish_cell = finishers(activation).cell
    images, warps, teams, threads, sums_of_team = (
        tile.images,
        tile.warps,
        tile.teams,
        tile.threads,
        tile.sums,
    )
    each = lane_inputs(tile.form)
    all_sums = warps * teams * sums_of_team
    chunk_inputs, chunk_words = LANES * each, LANES * WORDS * OUTPUTS
    inputs_apart, words_apart = warps * chunk_inputs, warps * chunk_words

    def dense_vector(
        x: Floats, weight: Floats, bias: Floats, addend: Floats, y: Floats, shape: DenseVectorShape
    ) -> None:
        partial = cuda.shared.array(all_sums, float32, ALIGNMENT)
        thread = cuda.threadIdx.x
        warp = quotient(thread, LANES)
        lane = thread - warp * LANES
        team = quotient(warp, warps)
        member = warp - team * warps
        first_output = cuda.blockIdx.x * (teams * OUTPUTS)
        first_image = cuda.blockIdx.y * images

        sums = zeros()
        output = first_output + team * OUTPUTS
        k = member * chunk_inputs + lane * each if output < shape.outputs else shape.inputs
        at = quotient(output, OUTPUTS) * shape.panel + member * chunk_words + lane * WORDS
        while k < shape.inputs:
            sums = accumulate(
                weight, at, x, k, first_image, shape.images - 1, shape.inputs, shape.x_image, sums
            )
            k += inputs_apart
            at += words_apart
        finish_sums(partial, warp * sums_of_team, lane == 0, sums)
        cuda.syncthreads()

        for cell in range(thread, teams * sums_of_team, threads):
            team = quotient(cell, sums_of_team)
            number = cell - team * sums_of_team
            i = quotient(number, OUTPUTS)
            o = first_output + team * OUTPUTS + number - i * OUTPUTS
            i += first_image
            if i < shape.images and o < shape.outputs:
                value = float32(0)
                for member in range(warps):
                    value += partial[(team * warps + member) * sums_of_team + number]
                finish_cell(value, o, i * shape.y_image + o, bias, addend, y, shape)

    return dense_vector


def _accumulator(tile: VectorTile) -> Any:
    """How a lane multiplies some weights with the inputs of all images."""
    form, vector, each = tile.form, tile.vector, lane_inputs(tile.form)

    def weights_of(code: Code, weight: Memory, at: Place, output: int) -> list[Number]:
        words = code.load(weight, at, output * LANES * WORDS, WORDS)
        if form == "float32":
            return words
        return [n for word in words for n in code.unpacked(form, code.bits(word))]

    def inputs_of(code: Code, x: Memory, row: Place, k: Place, inputs: Place) -> list[Number]:
        start = code.plus(row, k)
        if each == vector:  # the first of them is there, so all are
            return code.load(x, start, 0, vector)
        numbers: list[Number] = []
        for j in range(0, each, vector):
            there = code.less(code.plus(k, j), inputs)
            numbers += code.load_if(x, code.plus(start, j), vector, there)
        return numbers

    @emits(results=tile.sums)
    def accumulate(
        code: Code,
        weight: Memory,
        at: Place,
        x: Memory,
        k: Place,
        first_image: Place,
        last_image: Place,
        inputs: Place,
        x_image: Place,
        sums: list[Number],
    ) -> list[Number]:
        weights = [weights_of(code, weight, at, o) for o in range(OUTPUTS)]
        totals: list[Number] = []
        for i in range(tile.images):
            # Behind the last image it is taken again, for sums that nobody writes.
            image = code.least(code.plus(first_image, i), last_image)
            numbers = inputs_of(code, x, code.times(image, x_image), k, inputs)
            for o in range(OUTPUTS):
                total = sums[i * OUTPUTS + o]
                for a, b in zip(weights[o], numbers, strict=True):
                    total = code.fma(a, b, total)
                totals.append(total)
        return totals

    return accumulate


def _summer(tile: VectorTile) -> Any:
    """How the sums of a warp's lanes are added, and written by one of them."""

    @emits()
    def finish_sums(
        code: Code, partial: Memory, start: Place, writes: Truth, sums: list[Number]
    ) -> None:
        totals = [code.warp_sum(number) for number in sums]

        def write() -> None:
            for i in range(0, tile.sums, 4):
                code.store(totals[i : i + 4], partial, start, i)

        code.when(writes, write)

    return finish_sums
