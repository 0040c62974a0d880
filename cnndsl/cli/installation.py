"""What cnndsl finds of itself and of the machine that it runs on."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter

import numpy as np

from cnndsl import __version__
from cnndsl.api import parse
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.cpu.kept_programs import PROGRAM
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.times import TIMES, kept_times
from cnndsl.backends.cuda.backend import find_driver
from cnndsl.backends.cuda.link import can_link
from cnndsl.backends.protocol import Request
from cnndsl.cache import FileCache, default_directory
from cnndsl.compiler import Compilation
from cnndsl.errors import CnnError
from cnndsl.frontend.kept_grammar import TABLES
from cnndsl.interop.weights import seeded_weights
from cnndsl.targets import thread_count

PROBE = "lenet5"
"""The shipped spec whose kernels are looked for."""
PLANS = "plan"
"""What entries of the cache are called that hold no kernel."""
GPU_KERNELS = "sm_"
"""How entries begin that hold a kernel of a GPU's."""

_NEEDED = ("numpy", "numba", "llvmlite")


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part of the package, and the versions of what it needs, None where absent."""

    name: str
    packages: dict[str, str | None]

    @property
    def is_present(self) -> bool:
        """Whether all of it is installed."""
        return all(self.packages.values())


@dataclass(frozen=True, slots=True)
class Processor:
    """
    The CPU as kernels are compiled for it.

    `vector_bits` and `vector_registers` are what the kernels' tiles are cut for, `used` the
    features that say so; `usable` the processors that this process may use of `processors`,
    `threads` those that a call uses unless told otherwise.
    """

    name: str
    vector_bits: int
    vector_registers: int
    used: tuple[str, ...]
    features: tuple[str, ...]
    processors: int
    usable: int
    threads: int


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What the cache holds.

    `gpu_kernels` are those of GPUs, the other `kernels` the CPU's; `stale` are such that this
    version, or this machine, would compile anew. `plans` belong to compiled models, as do
    `programs`, which hold packed weights; only their files could say of which version. `measured`
    are convolutions whose algorithms were timed on this machine, for this version.
    """

    directory: Path
    is_writable: bool
    entries: int
    bytes: int
    kernels: int
    gpu_kernels: int
    plans: int
    programs: int
    program_bytes: int
    measured: int
    stale: int
    stale_bytes: int


@dataclass(frozen=True, slots=True)
class Start:
    """A small network made ready and called once: kernels found, kernels compiled, seconds."""

    network: str
    found: int
    compiled: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Graphics:
    """
    The GPU that the target cuda would use, or what it lacks: `problem`, and `fixes` for it.

    `links` says whether kernels can be made ready for a GPU that is not here.
    """

    name: str | None
    capability: str | None
    processors: int
    free_bytes: int
    links: bool
    problem: str | None
    fixes: tuple[str, ...]


def versions() -> dict[str, str | None]:
    """cnndsl, Python, and what cnndsl cannot do without; None for what is absent."""
    found: dict[str, str | None] = {"cnndsl": __version__, "python": platform.python_version()}
    return found | {name: _version(name) for name in _NEEDED}


def extras() -> list[Extra]:
    """The package's extras as it declares them, but for the one of its own developers."""
    try:
        declared = metadata.metadata("cnndsl").get_all("Provides-Extra") or []
        required = metadata.requires("cnndsl") or []
    except metadata.PackageNotFoundError:  # it runs from its sources
        return []
    return [Extra(name, _packages(name, required)) for name in declared if name != "dev"]


def processor() -> Processor:
    """The machine."""
    target = Target.host()
    return Processor(
        name=target.cpu,
        vector_bits=target.lanes * 32,
        vector_registers=target.registers,
        used=target.used,
        features=target.features,
        processors=os.cpu_count() or 1,
        usable=thread_count(None),
        threads=thread_count(None),
    )


def graphics() -> Graphics:
    """The GPU."""
    try:
        driver = find_driver()
    except CnnError as error:
        found = error.diagnostics[0]
        fixes = tuple(fix.message for fix in found.fixes)
        return Graphics(None, None, 0, 0, can_link(), found.message, fixes)
    gpu = driver.gpu
    return Graphics(
        name=gpu.name,
        capability=".".join(map(str, gpu.architecture)),
        processors=gpu.processors,
        free_bytes=driver.free_bytes(),
        links=can_link(),
        problem=None,
        fixes=(),
    )


def cache_contents() -> Kept:
    """The user's cache."""
    cache = FileCache(default_directory())
    entries = cache.entries()
    plans = [entry for entry in entries if entry.name == PLANS]
    of_gpus = [entry for entry in entries if entry.name.startswith(GPU_KERNELS)]
    programs = [entry for entry in entries if entry.name == PROGRAM]
    others = (PLANS, TIMES, PROGRAM, TABLES)
    kernels = [e for e in entries if e.name not in others and e not in of_gpus]
    stale = [e for e in kernels if e.path != cache.path(e.name, key_of(e.name))]
    return Kept(
        directory=cache.directory,
        is_writable=cache.is_writable(),
        entries=len(entries),
        bytes=sum(entry.size for entry in entries),
        kernels=len(kernels),
        gpu_kernels=len(of_gpus),
        plans=len(plans),
        programs=len(programs),
        program_bytes=sum(entry.size for entry in programs),
        measured=len(kept_times().found),
        stale=len(stale),
        stale_bytes=sum(entry.size for entry in stale),
    )


def start() -> Start:
    """Make a small network ready, from the cache or by compiling, and call it once."""
    network, backend = parse(PROBE), CpuBackend()
    weights = seeded_weights(network.param_table, 0)
    request = Request(Compilation(network).plan, weights, thread_count(None))
    cached = backend.cached(request)
    begin = perf_counter()
    images = np.zeros((1, *network.input.array_shape), np.float32)
    backend.load(request)((images,))
    return Start(
        network=PROBE,
        found=sum(cached.values()),
        compiled=tuple(name for name, found in cached.items() if not found),
        seconds=perf_counter() - begin,
    )


def _packages(extra: str, required: list[str]) -> dict[str, str | None]:
    """The packages that an extra asks for, with their versions."""
    marker = re.compile(rf"""extra\s*==\s*["']{re.escape(extra)}["']""")
    names = [re.split(r"[^\w.-]", line)[0] for line in required if marker.search(line)]
    return {name: _version(name) for name in names}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
