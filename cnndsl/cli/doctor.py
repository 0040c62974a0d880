"""`cnndsl doctor`: what is installed, what the compiler sees, and what the cache holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from cnndsl.cache import MOST_BYTES, MOST_MAPPED_BYTES, MOST_UNUSED, FileCache, default_directory
from cnndsl.cli.arguments import add_format
from cnndsl.cli.installation import (
    Extra,
    Graphics,
    Kept,
    Processor,
    Start,
    cache_contents,
    extras,
    graphics,
    processor,
    start,
    versions,
)
from cnndsl.cli.terminal import Terminal
from cnndsl.limits import format_bytes
from cnndsl.source import text_cells

EPILOG = f"""\
examples:
  cnndsl doctor
  cnndsl doctor --json
  cnndsl doctor --clear-cache

The cache holds what can be made again: kernels, compiled once for a machine and a version; plans of
compiled models; programs, of models that were loaded more than once, with their packed weights; and
the parser of tables. With all of it a process neither compiles, nor plans, nor packs. Entries go
that were not used for
{MOST_UNUSED / 86400:.0f} days, and the longest unused where all exceed \
{format_bytes(MOST_BYTES)}, \
or programs {format_bytes(MOST_MAPPED_BYTES)}.
CNNDSL_CACHE_DIR names another folder. Exit status 1 where something is amiss: the cache cannot be
written, so that every process compiles anew."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `doctor` takes."""
    parser.add_argument(
        "--clear-cache",
        action="store_true",
        help="remove the cache's entries, and no other file of its folder, instead",
    )
    add_format(parser, result=True)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Print what is found, or clear the cache."""
    if args.clear_cache:
        return _clear(args, terminal)
    machine, gpu, kept = processor(), graphics(), cache_contents()
    # Last: it may fill the cache.
    found, parts, first = versions(), extras(), start()
    if args.format == "json":
        terminal.json(
            {
                "versions": found,
                "extras": {part.name: part.packages for part in parts},
                "processor": asdict(machine),
                "gpu": asdict(gpu),
                "cache": {**asdict(kept), "directory": str(kept.directory)},
                "start": asdict(first),
            }
        )
    else:
        _print(dict(_entries(found, parts, machine, gpu, kept, first)), terminal)
    return int(not kept.is_writable)


def _clear(args: argparse.Namespace, terminal: Terminal) -> int:
    cache = FileCache(default_directory())
    removed = cache.clear()
    left, size = len(cache.entries()), sum(entry.size for entry in removed)
    if args.format == "json":
        data: dict[str, Any] = {"directory": str(cache.directory), "left": left}
        terminal.json({**data, "removed": len(removed), "removed_bytes": size})
    else:
        terminal.say(f"{cache.directory}: {_count(len(removed))} removed, {format_bytes(size)}")
        if left:
            terminal.note(f"{_count(left)} cannot be removed")
    return int(left > 0)


def _entries(
    found: dict[str, str | None],
    parts: Sequence[Extra],
    machine: Processor,
    gpu: Graphics,
    kept: Kept,
    first: Start,
) -> Iterator[tuple[str, list[str]]]:
    """What is printed, by its label."""
    yield "versions", [", ".join(f"{name} {text or 'absent'}" for name, text in found.items())]
    for part in parts:
        packages = ", ".join(f"{name} {text or '-'}" for name, text in part.packages.items())
        state = "present" if part.is_present else f"not all: pip install 'cnndsl[{part.name}]'"
        yield f"extra {part.name}", [f"{packages} ({state})"]
    vectors = f"{machine.vector_bits}-bit vectors in {machine.vector_registers} registers"
    used = ", ".join(machine.used) or "no features beyond the least"
    yield "processor", [f"{machine.name}, {vectors} ({used})"]
    usable = f"{machine.usable} of {machine.processors} processors can be used"
    yield (
        "threads",
        [
            f"{usable}; a call uses at most {machine.threads}, or as --threads says",
            "of cnndsl's own, not Numba's or OpenMP's, whose settings change nothing;",
            "models can be called from several threads at once, and after a fork",
        ],
    )
    yield "gpu", _gpu_lines(gpu)
    writable = "can be written" if kept.is_writable else "CANNOT be written"
    yield (
        "cache",
        [
            f"{kept.directory}, {writable}",
            f"{_count(kept.entries)}, {format_bytes(kept.bytes)}: {kept.kernels} kernels, "
            f"{kept.gpu_kernels} of GPUs, {kept.plans} plans",
            f"{kept.programs} programs with packed weights, {format_bytes(kept.program_bytes)}: "
            "models that start without packing",
            f"{kept.measured} convolutions are measured (compile --tune)",
            f"{kept.stale} kernels are stale, {format_bytes(kept.stale_bytes)}: of another version "
            "or machine",
        ],
    )
    total = first.found + len(first.compiled)
    yield (
        "kernels",
        [
            f"{first.network} needs {total}: {first.found} in the cache, "
            f"{len(first.compiled)} compiled",
            f"ready and called once in {first.seconds:.3f} s",
        ],
    )


def _gpu_lines(gpu: Graphics) -> list[str]:
    """What there is, or what is missing and what would help."""
    if gpu.problem is not None:
        return [gpu.problem, *(f"fix: {fix}" for fix in gpu.fixes)]
    linker = "is there" if gpu.links else "is absent: the driver compiles kernels"
    return [
        f"{gpu.name}, compute capability {gpu.capability}, {gpu.processors} processors, "
        f"{format_bytes(gpu.free_bytes)} free",
        f"NVIDIA's linker {linker}",
    ]


def _count(entries: int) -> str:
    return "1 entry" if entries == 1 else f"{entries} entries"


def _print(entries: dict[str, list[str]], terminal: Terminal) -> None:
    width = max(map(text_cells, entries)) + 2
    for label, lines in entries.items():
        for i, line in enumerate(lines):
            terminal.say(f"{label if i == 0 else '':{width}}{line}")
