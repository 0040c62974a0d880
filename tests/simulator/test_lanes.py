"""Which memory the lanes of a warp ask for together, as the kernels' own arithmetic has it."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cnndsl.backends.cuda.availability import multiplies
from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.gpu import ARCHITECTURES, assumed_gpu
from cnndsl.backends.cuda.kernels import conv_tile
from cnndsl.backends.cuda.shapes.conv_tile import PLACE_INTS, Tile
from cnndsl.backends.cuda.tiles import TileLaunch, tiles
from cnndsl.types import PRECISIONS

LANES, BANKS, PHASE_WORDS, SECTOR_WORDS = 32, 32, 32, 8


@dataclass
class Places:
    """A `Code` that computes nothing and writes down which words a lane asks for, in order."""

    loads: list[tuple[int, int]] = field(default_factory=list)
    stores: list[tuple[int, int]] = field(default_factory=list)

    def load(self, memory: Any, start: int, offset: int, width: int) -> list[int]:
        self.loads.append((start + offset, width))
        return [0] * width

    def matrices(self, memory: Any, start: int, offset: int, count: int) -> list[int]:
        self.loads.append((start + offset, 4))
        return [0] * count

    def store(self, numbers: list[int], memory: Any, start: int, offset: int) -> None:
        self.stores.append((start + offset, len(numbers)))

    def case(self, number: int, cases: list[Any]) -> None:
        cases[number]()

    def fma(self, a: int, b: int, c: int) -> int:
        return c

    def mma(self, instruction: Any, left: Any, right: Any, sums: list[int]) -> list[int]:
        return sums

    def rounded(self, form: Any, low: int, high: int) -> int:
        return 0

    def bits(self, number: int) -> int:
        return 0


def most_words_of_a_bank(lanes: list[tuple[int, int]]) -> int:
    """
    Of all lanes of a warp, for one instruction; 1 says that no lane waits for another.

    Shared memory serves so many lanes at a time as ask for 32 words, in order (CUDA C++ Programming
    Guide, "Shared memory"; of vectors, as Nsight Compute counts them). A word is read once for all.
    """
    worst, width = 0, lanes[0][1]
    for first in range(0, LANES, PHASE_WORDS // width):
        banks = defaultdict(set)
        for start, _ in lanes[first : first + PHASE_WORDS // width]:
            for word in range(start, start + width):
                banks[word % BANKS].add(word)
        worst = max(worst, *map(len, banks.values()))
    return worst


def all_tiles() -> list[Tile]:
    """Those of all architectures and precisions that read quads, each once."""
    found: dict[Tile, None] = {}
    for architecture in ARCHITECTURES:
        for precision in filter(lambda p: multiplies(architecture, p), PRECISIONS):
            for tile in tiles(assumed_gpu(architecture), precision, 4):
                found[tile._replace(stages=2, asynchronous=1, resident=1)] = None
    return list(found)


def warps_of(tile: Tile) -> list[range]:
    """The first and the last warp of a block."""
    return [range(LANES), range(tile.threads - LANES, tile.threads)]


@pytest.mark.parametrize("tile", all_tiles(), ids=lambda tile: "-".join(map(str, tile)))
def test_no_lane_waits_for_another_at_a_bank_of_shared_memory(tile):
    product = conv_tile._product(tile)
    multiply, put = (f.__wrapped__ for f in (product.multiply, product.put))
    sums = [0] * tile.sums
    for warp in warps_of(tile):
        lanes = [Places() for _ in warp]
        for lane, thread in zip(lanes, warp, strict=True):
            multiply(
                lane, None, product.left(thread), tile.right_start + product.right(thread), sums
            )
            for part in range(tile.parts):
                put(lane, None, product.out(thread), sums, part)
        assert lanes[0].loads
        assert lanes[0].stores
        for asked in (
            *zip(*(lane.loads for lane in lanes), strict=True),
            *zip(*(lane.stores for lane in lanes), strict=True),
        ):
            assert most_words_of_a_bank(list(asked)) == 1


def sectors(starts: list[int], width: int) -> int:
    """How many pieces of 32 bytes the lanes' words lie in."""
    return len({word // SECTOR_WORDS for start in starts for word in range(start, start + width)})


@pytest.mark.parametrize("tile", all_tiles(), ids=lambda tile: "-".join(map(str, tile)))
def test_a_warp_copies_whole_sectors_of_pixels_and_of_weights(tile):
    size, maps = (16, tile.rows // 16), 4 * tile.depth
    strides = Strides.dense(size, maps), Strides.dense(size, tile.columns)
    shape = TileLaunch(Convolution(1, size, size, maps, tile.columns, *strides), tile).fields()
    places = np.zeros(PLACE_INTS * tile.rows, np.int32)
    for row in range(tile.rows):
        conv_tile.note_place(places, row, row, shape)
    for thread_of in (_left_copies, _right_copies):
        for warp in warps_of(tile):
            lanes = [thread_of(tile, shape, places, thread) for thread in warp]
            for starts in zip(*lanes, strict=True):
                there = [start for start in starts if start is not None]
                assert sectors(there, 4) * SECTOR_WORDS == 4 * len(set(there))


def _left_copies(tile: Tile, shape: Any, places: Any, thread: int) -> list[int | None]:
    found: list[int | None] = []

    def copy(memory: Any, at: int, x: Any, source: int, valid: bool) -> None:
        found.append(int(source) if valid else None)

    u, v, c = conv_tile.tap_at(thread % (tile.depth // tile.vector) * tile.vector, shape)
    fetch = conv_tile._left_fetcher(tile, copy)
    fetch(None, 0, places, None, 0, u, v, c, shape, thread)
    return found


def _right_copies(tile: Tile, shape: Any, places: Any, thread: int) -> list[int | None]:
    found: list[int | None] = []

    def copy(memory: Any, at: int, weight: Any, source: int, valid: bool) -> None:
        found.append(int(source) if valid else None)

    fetch = conv_tile._right_fetcher(tile, copy)
    fetch(None, 0, None, 0, shape.panel_row, shape, thread)
    return found


def test_banks_that_several_words_share_are_counted():
    apart = [(lane * 32, 1) for lane in range(32)]
    assert most_words_of_a_bank(apart) == 32
    assert most_words_of_a_bank([(0, 4)] * 32) == 1
    assert most_words_of_a_bank([(lane * 4, 4) for lane in range(32)]) == 1
    assert most_words_of_a_bank([(lane * 8, 4) for lane in range(32)]) == 2
