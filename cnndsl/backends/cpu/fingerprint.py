"""What compiled kernels are made from, as one digest; found without importing numba."""

import hashlib
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import llvmlite
from llvmlite import binding

from cnndsl.checksums import digest_of_sources

_FORMAT = b"cnndsl kernels 1"
_SWITCHES = ("CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE")


@cache
def fingerprint() -> bytes:
    """
    A digest of every text and version that a kernel's machine code can depend on.

    That is: the sources of this backend (kernels lean on the vector files and on the field lists
    beside them, so all of them count), the versions of numba and llvmlite, numba's switches in
    the environment, and the processor. Computed once a process, in a few milliseconds.
    """
    parts = [_FORMAT, llvmlite.__version__.encode(), _numba_version()]
    parts += [os.environ.get(f"NUMBA_{switch}", "").encode() for switch in _SWITCHES]
    parts += [binding.get_default_triple().encode(), binding.get_host_cpu_name().encode()]
    parts.append(binding.get_host_cpu_features().flatten().encode())
    parts.append(digest_of_sources(os.path.dirname(__file__)))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def key_of(name: str) -> bytes:
    """The cache key of the kernel `name` as this process would compile it."""
    return hashlib.sha256(fingerprint() + name.encode()).digest()


def _numba_version() -> bytes:
    """The text that holds numba's version: importlib.metadata would take 17 ms to say it."""
    spec = find_spec("numba")
    if spec is None or spec.origin is None:
        return b""
    version = Path(spec.origin).with_name("_version.py")
    return version.read_bytes() if version.is_file() else b""
