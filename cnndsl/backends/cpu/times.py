"""
What was measured on this machine: which algorithm took how long for which convolution.

It is kept in the user's cache, as one entry for all networks, so that what one network was tuned
for serves the next. The entry belongs to the processor, the compiler and the kernels' sources;
where one of these is another, nothing has been measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.profiling import Roof
from cnndsl.cache import FileCache, default_directory

TIMES = "times"
"""What the cache's entry is called."""

Seconds = Mapping[str, float]
"""Of one image on one thread, by the names of algorithms."""


@dataclass(frozen=True, slots=True)
class Times:
    """The seconds of convolutions, by `key_of_work`, and the roof of one thread; as measured."""

    found: Mapping[str, Seconds] = field(default_factory=dict[str, Seconds])
    roof: Roof | None = None

    def of(self, work: str, batch: int = 1) -> Seconds:
        """What is known of a convolution of so many images; nothing, if it was not measured."""
        return self.found.get(key_of_work(work, batch), {})

    def with_more(self, more: Times) -> Times:
        """These, and those that were measured later."""
        return Times({**self.found, **more.found}, more.roof or self.roof)

    @property
    def digest(self) -> bytes:
        """What choices depend on: the same for the same times."""
        return hashlib.sha256(_encoded(self)).digest() if self.found else b""


NOTHING_MEASURED = Times()


def key_of_work(work: str, batch: int) -> str:
    """
    What the times of a convolution by its `ConvWork.name` are found under.

    >>> key_of_work("conv maps=8 of 9x9x3", 1), key_of_work("conv maps=8 of 9x9x3", 16)
    ('conv maps=8 of 9x9x3', 'conv maps=8 of 9x9x3, batch 16')
    """
    return work if batch == 1 else f"{work}, batch {batch}"


def kept_times() -> Times:
    """What the user's cache knows; nothing where the entry is missing, damaged or foreign."""
    data = FileCache(default_directory()).get(TIMES, key_of(TIMES))
    return _decoded(data) if data is not None else Times()


def keep_times(times: Times) -> None:
    """Keep them for later processes, instead of what was kept."""
    FileCache(default_directory()).put(TIMES, key_of(TIMES), _encoded(times))


def _encoded(times: Times) -> bytes:
    roof = [times.roof.gflops, times.roof.gigabytes] if times.roof else None
    found = {work: dict(seconds) for work, seconds in times.found.items()}
    return json.dumps({"roof": roof, "found": found}, sort_keys=True).encode()


def _decoded(data: bytes) -> Times:
    # Its checksum and its key were right, so this version of the package wrote it.
    read: Any = json.loads(data)
    return Times(read["found"], Roof(*read["roof"]) if read["roof"] else None)
