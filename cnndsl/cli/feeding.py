"""Which files feed which of a model's inputs, image by image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from cnndsl.cli.pictures import Sample, find_files, read_samples
from cnndsl.errors import Diagnostic, InputError

if TYPE_CHECKING:
    from cnndsl.model import Model

Done = Callable[[int], None]
"""Told how many files more have been read."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What one run of the network reads: an image for each input, the first of them by name."""

    sample: Sample
    images: tuple[NDArray[Any], ...]


def find_feeds(paths: Sequence[str], model: Model) -> dict[str, list[Path]]:
    """
    The files for each input, by its row's name.

    A model with one input reads all of them, with or without `row=` before it. Of one with several,
    `row=path` says whose a path is, or there is one path for each, in order. Raises `InputError`,
    and `FileError` for no files.
    """
    rows = list(model.inputs)
    if len(rows) == 1:
        only = f"{rows[0]}="
        own = [p if os.path.exists(p) else p.removeprefix(only) for p in paths]
        return {rows[0]: find_files(own)}
    split = [path.partition("=") for path in paths]
    named = [(row, rest) for row, equals, rest in split if equals and row in rows]
    if not named and len(paths) == len(rows):
        named = list(zip(rows, paths, strict=True))
    given = {row: [rest for name, rest in named if name == row] for row in rows}
    if len(named) != len(paths) or not all(given.values()):
        raise InputError(
            f"the network has {len(rows)} inputs, {', '.join(rows)}, and {' '.join(paths)} "
            "does not say whose each file is",
            code="E604",
            fixes=[
                " ".join(f"{row}=FILE" for row in rows),
                "or a file, or a folder, for each in this order",
            ],
        )
    return {row: find_files(own) for row, own in given.items()}


def read_feeds(
    files: Mapping[str, Sequence[Path]], model: Model, findings: list[Diagnostic], done: Done
) -> Iterator[Feed]:
    """
    The images of all files, those of several inputs side by side.

    Of a model with one input, a file that cannot be read is a finding. Where there are several the
    others would no longer belong together: then it is an `InputError`, and so are inputs with
    different numbers of images.
    """
    if len(files) == 1:
        ((row, own),) = files.items()
        for sample in _read(own, row, model, done, findings):
            yield Feed(sample, (sample.image,))
        return
    columns = [_read(own, row, model, done) for row, own in files.items()]
    for count, samples in enumerate(zip_longest(*columns)):
        present = [sample for sample in samples if sample is not None]
        if len(present) < len(samples):
            missing = [row for row, sample in zip(files, samples, strict=True) if sample is None]
            raise InputError(
                f"{', '.join(missing)} has {count} images, and other inputs have more",
                code="E604",
                fixes=["as many images for each input"],
            )
        yield Feed(present[0], tuple(sample.image for sample in present))


def _read(
    files: Iterable[Path],
    row: str,
    model: Model,
    done: Done,
    findings: list[Diagnostic] | None = None,
) -> Iterator[Sample]:
    for file in files:
        try:
            yield from read_samples(file, model, row)
        except InputError as error:
            if findings is None:
                raise
            findings += error.diagnostics
        done(1)
