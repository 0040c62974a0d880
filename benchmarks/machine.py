"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cnndsl import __version__
from cnndsl.backends.cpu.target import Target
from cnndsl.targets import thread_count

PACKAGES = ("numba", "llvmlite", "numpy")


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor, as far as speed depends on it. `features` are its instruction sets."""

    processor: str
    architecture: str
    features: tuple[str, ...]
    cores: int
    system: str
    python: str

    @staticmethod
    def here() -> Machine:
        """The machine that this process runs on."""
        target = Target.host()
        return Machine(
            processor=_processor() or target.cpu,
            architecture=target.cpu,
            features=target.features,
            cores=thread_count(None),
            system=platform.system(),
            python=platform.python_version(),
        )


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Our version, and those of the packages of these that are installed."""
    found = {"cnndsl": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def load_average() -> tuple[float, ...]:
    """How many processes wanted a core in the last 1, 5 and 15 minutes; empty where unknown."""
    return tuple(round(load, 2) for load in os.getloadavg()) if hasattr(os, "getloadavg") else ()


def _processor() -> str:
    """What Linux calls the processor; elsewhere, what Python does."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor()
