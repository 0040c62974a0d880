"""What compiled kernels are made from, as one digest; found without numba and llvmlite."""

import hashlib
import os
import platform
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from cnndsl.checksums import digest_of_sources

_FORMAT = b"cnndsl kernels 2"
_SWITCHES = ("CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")

# Of a processor in Linux's list, each its own name: no other line says what code it runs.
_TELLING = (b"vendor_id", b"cpu family", b"model", b"stepping", b"flags")
_FIRST_PROCESSOR = 1 << 14  # bytes: more than there are


@cache
def fingerprint() -> bytes:
    """
    A digest of every text and version that a kernel's machine code can depend on.

    That is: the sources of this backend (kernels lean on the vector files and on the field lists
    beside them, so all of them count), the versions of numba and llvmlite, numba's switches in
    the environment, and the processor. Computed once a process, in a few milliseconds.
    """
    parts = [_FORMAT, _version_of("llvmlite"), _version_of("numba")]
    parts += [os.environ.get(f"NUMBA_{switch}", "").encode() for switch in _SWITCHES]
    parts += [sys.platform.encode(), platform.machine().encode(), _told() or _asked()]
    parts.append(digest_of_sources(os.path.dirname(__file__)))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def key_of(name: str) -> bytes:
    """The cache key of the kernel `name` as this process would compile it."""
    return hashlib.sha256(fingerprint() + name.encode()).digest()


def _version_of(package: str) -> bytes:
    """The text that holds a package's version: importlib.metadata would take 17 ms to say it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return b""
    version = Path(spec.origin).with_name("_version.py")
    return version.read_bytes() if version.is_file() else b""


def _told() -> bytes:
    """
    What Linux tells of the first processor of x86's, which decides what LLVM takes it for.

    Nothing elsewhere.
    """
    try:
        with open("/proc/cpuinfo", "rb") as file:
            first, _, _ = file.read(_FIRST_PROCESSOR).partition(b"\n\n")
    except OSError:
        return b""
    lines = [line for line in first.splitlines() if line.partition(b"\t")[0] in _TELLING]
    return b"\n".join(lines) if len(lines) == len(_TELLING) else b""


def _asked() -> bytes:
    """What LLVM takes this processor for."""
    # Imported here: where Linux tells, a process that finds its kernels spares llvmlite.
    from llvmlite import binding

    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}".encode()
