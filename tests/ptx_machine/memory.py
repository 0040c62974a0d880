"""Memory that knows who wrote and read each word, and says what a GPU does not forgive."""

from __future__ import annotations

from typing import Any

import numpy as np
from cuda_memory import UNTOUCHED, Fault
from numpy.typing import NDArray

WORD = 4
START = 0x7000_0000_0000
"""The address of the first word of a device's memory."""
_APART = 64  # words between allocations, and what they start at multiples of

Words = NDArray[np.uint32]
Places = NDArray[np.int64]
Stamps = NDArray[np.int64]

_NOBODY = -1
_THREAD_BITS, _BARRIER_BITS = 12, 24
_MANY_THREADS = (1 << _THREAD_BITS) - 1  # of a block: no block has so many
_MANY_BLOCKS = (1 << (62 - _THREAD_BITS - _BARRIER_BITS)) - 1


def stamps(blocks: Any, barriers: Any, threads: Any) -> Any:
    """Who and when, as one number: a thread of a block, after so many barriers."""
    return (blocks << _BARRIER_BITS | barriers) << _THREAD_BITS | threads


def told(stamp: int) -> str:
    """A stamp in words."""
    thread, rest = stamp & _MANY_THREADS, stamp >> _THREAD_BITS
    barriers, block = rest & ((1 << _BARRIER_BITS) - 1), rest >> _BARRIER_BITS
    if block == _MANY_BLOCKS:
        return "several blocks"
    whom = "several threads" if thread == _MANY_THREADS else f"thread {thread}"
    return f"{whom} of block {block} after {barriers} barriers"


class Watched:
    """
    Words, which of them anybody has written, and who wrote and read them last in this launch.

    Two threads meet at a word if one of them writes it and nothing says which comes first: they are
    of different blocks, or no barrier is between them. Words that a copy is promised to (`flying`)
    are nobody's. Each mistake is a `Fault`.
    """

    def __init__(self, name: str, words: int, there: bool = True) -> None:
        self.name = name
        self.words: Words = np.zeros(words, np.uint32)
        self.there = np.full(words, there)
        self.written = np.zeros(words, bool)
        self.flying = np.zeros(words, bool)
        self.writers: Stamps = np.full(words, _NOBODY, np.int64)
        self.readers: Stamps = np.full(words, _NOBODY, np.int64)

    def begin(self) -> None:
        """A launch begins: all before it is over."""
        self.writers[:] = self.readers[:] = _NOBODY

    def read(self, places: Places, who: Stamps) -> Words:
        """The words at `places`, an array of any shape with the readers' stamps."""
        self._enter(places, who, "reads")
        self._forbid(~self.written[places], places, who, "reads what nobody has written:")
        self._forbid(_meet(self.writers[places], who), places, who, "reads", self.writers)
        before = self.readers[places]
        self.readers[places] = _joined(before, who)
        # Of several that read a word at once the last one is noted; now the others join it.
        while (
            others := self.readers[places] != (joined := _joined(self.readers[places], who))
        ).any():
            self.readers[places[others]] = joined[others]
        return self.words[places]

    def write(self, places: Places, values: Words, who: Stamps) -> None:
        """Set words. Two threads may not set the same one at once, even to the same value."""
        self._enter(places, who, "writes")
        self.claim(places, who)
        self.words[places] = values
        self.written[places] = True

    def claim(self, places: Places, who: Stamps) -> None:
        """Make threads the writers of words."""
        for others in (self.writers, self.readers):
            self._forbid(_meet(others[places], who), places, who, "writes", others)
        self.writers[places] = who
        self._forbid(self.writers[places] != who, places, who, "writes", self.writers)

    def depart(self, places: Places, who: Stamps) -> None:
        """Copies to words are promised."""
        self._enter(places, who, "copies to")
        self.claim(places, who)
        self.flying[places] = True

    def land(self, places: Places, values: Words, who: Stamps) -> None:
        """The copies arrive."""
        self.flying[places] = False
        self.write(places, values, who)

    def _enter(self, places: Places, who: Stamps, verb: str) -> None:
        outside = (places < 0) | (places >= len(self.words))
        self._forbid(outside, places, who, f"{verb} outside:")
        self._forbid(~self.there[places], places, who, f"{verb} outside:")
        self._forbid(self.flying[places], places, who, f"{verb} what a copy is on its way to:")

    def _forbid(
        self, wrong: Any, places: Places, who: Stamps, verb: str, others: Stamps | None = None
    ) -> None:
        if wrong.any():
            first = np.unravel_index(wrong.argmax(), wrong.shape)
            place = int(places[first])
            met = f", which {told(int(others[place]))} meets" if others is not None else ""
            raise Fault(f"{told(int(who[first]))} {verb} {self.place(place)}{met}")

    def place(self, word: int) -> str:
        """A word as messages call it."""
        return f"{self.name}[{word}]"


def _meet(others: Stamps, who: Stamps) -> NDArray[np.bool_]:
    """Whether nothing orders two accesses."""
    apart = others ^ who
    unordered = (apart >> _THREAD_BITS == 0) | (apart >> (_THREAD_BITS + _BARRIER_BITS) != 0)
    return (others >= 0) & (apart != 0) & unordered


def _joined(before: Stamps, who: Stamps) -> Stamps:
    """The reader that stands for those before, as far as they still matter, and one more."""
    apart = before ^ who
    same_block = apart >> (_THREAD_BITS + _BARRIER_BITS) == 0
    same_time = same_block & (apart >> _THREAD_BITS == 0)
    several = np.where(
        same_time, before | _MANY_THREADS, stamps(np.int64(_MANY_BLOCKS), np.int64(0), np.int64(0))
    )
    alone = (before < 0) | (apart == 0) | (same_block & ~same_time)
    return np.where(alone, who, several)


class DeviceMemory:
    """All allocations of a device, in one range of addresses, with nothing between them."""

    def __init__(self) -> None:
        self.watched = Watched("memory", 1 << 16, there=False)
        self.end = _APART
        self.starts: list[int] = []

    def allocate(self, words: int) -> int:
        """The address of so many words that nobody has written."""
        start = self.end
        self.end = -(-(start + words + _APART) // _APART) * _APART
        if self.end > len(self.watched.words):
            self._grow(2 * self.end)
        self.watched.there[start : start + words] = True
        self.starts.append(start)
        return START + WORD * start

    def upload(self, address: int, array: NDArray[np.generic]) -> None:
        """The host writes words; what is no number, or `UNTOUCHED`, counts as unwritten."""
        words = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
        place = self.places(address)
        self.watched.words[place : place + words.size] = words
        numbers = words.view(np.float32)
        floats = np.asarray(array).dtype == np.float32
        blank = (
            (np.isnan(numbers) | (numbers == UNTOUCHED)) if floats else np.zeros(words.size, bool)
        )
        self.watched.written[place : place + words.size] = ~blank

    def download(self, address: int, count: int) -> NDArray[np.float32]:
        """Words as the host reads them."""
        place = self.places(address)
        return self.watched.words[place : place + count].view(np.float32).copy()

    @staticmethod
    def places(addresses: Any) -> Any:
        """Words by their addresses."""
        return (addresses - START) // WORD

    def _grow(self, words: int) -> None:
        old, self.watched = self.watched, Watched("memory", words, there=False)
        for name, array in vars(old).items():
            if isinstance(array, np.ndarray):
                getattr(self.watched, name)[: len(array)] = array
