"""
Programs that the user's cache keeps whole, with their packed weights, for later processes.

What is kept is mapped, and run where it lies: nothing is parsed, planned, lowered or packed again.
Weights that the kernels read where they lie in the model's own file stay there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.program import Moved, Programs, Relocatable, Wanted
from cnndsl.backends.cpu.program_layout import CACHE_LINE, ROW_WORDS
from cnndsl.cache import FileCache, default_directory
from cnndsl.interop.pages import release

PROGRAM = "program"
"""What the cache's entries are called."""

_LENGTH_BYTES = 8
_INT64 = 8

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class KeptPrograms:
    """
    The program for one image as it was found, and those for other batches, lowered when asked for.

    `lower` packs the weights.
    """

    single: Relocatable
    lower: Callable[[], Programs]

    def __call__(self, batch: int) -> Relocatable:
        """The program for a batch of that size."""
        return self.single if batch == 1 else self._lowered(batch)

    @cached_property
    def _lowered(self) -> Programs:
        lowered = self.lower()
        for array in self.single.arrays:  # its own are not wanted in memory twice
            release(array)
        return lowered


def keep_program(key: bytes, program: Relocatable, weights: Arrays, note: Any) -> None:
    """
    Keep a program under `key`, which all that it was made from has gone into.

    `note` is what else is to be found with it, as JSON has it.
    """
    head, parts = _encoded(program, weights)
    text = json.dumps({"program": head, "note": note}).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % CACHE_LINE)
    start = len(text).to_bytes(_LENGTH_BYTES, "little")
    FileCache(default_directory()).put_mapped(PROGRAM, key, [start, text, *parts])


def find_program(key: bytes, weights: Arrays) -> tuple[Relocatable, Any] | None:
    """What was kept under `key`, and its note; None where there is nothing to be trusted."""
    content = FileCache(default_directory()).map(PROGRAM, key)
    if content is None:
        return None
    # Its checksum and its key were right, so this version of the package wrote it.
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    data: Any = json.loads(bytes(content[_LENGTH_BYTES:end]))
    return _decoded(data["program"], content[end:], weights), data["note"]


def _encoded(program: Relocatable, weights: Arrays) -> tuple[Any, list[bytes | memoryview]]:
    """A program as JSON and as the bytes of its table and of its own arrays."""
    parts: list[bytes | memoryview] = [program.table.tobytes()]
    end, places = program.table.nbytes, list[Any]()
    for array in program.arrays:
        name = _owner(array, weights)
        if name is not None:
            places.append([name, array.ctypes.data - weights[name].ctypes.data])
            continue
        room = -end % CACHE_LINE
        parts += [bytes(room), np.ascontiguousarray(array).reshape(-1).view(np.uint8).data]
        places.append([end + room, array.nbytes])
        end += room + array.nbytes
    head = {
        "moved": program.moved,
        "kernels": [[k.module, k.function, k.parameters] for k in program.kernels],
        "functions": program.functions,
        "arrays": places,
        "data": program.data,
        "sizes": [program.arena, program.scratch, program.work],
        "outputs": program.outputs,
        "steps": len(program.table),
    }
    return head, parts


def _owner(array: NDArray[Any], weights: Arrays) -> str | None:
    """The weight that an array is, or is a part of."""
    for name, weight in weights.items():
        if np.may_share_memory(array, weight):
            return name
    return None


def _decoded(head: Any, content: memoryview, weights: Arrays) -> Relocatable:
    words = np.frombuffer(content, np.int64, head["steps"] * ROW_WORDS)
    arena, scratch, work = head["sizes"]
    arrays: list[NDArray[Any]] = []
    for place, number in head["arrays"]:
        if isinstance(place, str):
            arrays.append(weights[place].reshape(-1).view(np.uint8)[number:])
        else:
            arrays.append(np.frombuffer(content, np.uint8, number, place))
    return Relocatable(
        words.reshape(-1, ROW_WORDS),
        {place: [Moved(*moved) for moved in fields] for place, fields in head["moved"].items()},
        tuple(Kernel(module, name, tuple(of)) for module, name, of in head["kernels"]),
        tuple(Wanted(*wanted) for wanted in head["functions"]),
        tuple(arrays),
        tuple(Wanted(*wanted) for wanted in head["data"]),
        arena,
        scratch,
        work,
        tuple(tuple(shape) for shape in head["outputs"]),
    )
