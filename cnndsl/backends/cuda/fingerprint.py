"""What compiled kernels are made from, as one digest; found without importing numba."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cnndsl.backends.cuda.gpu import Architecture, architecture_name
from cnndsl.backends.cuda.kernel import Kernel

_FORMAT = b"cnndsl cuda kernels 1"
# Whatever a kernel passes on its way to machine code.
_PACKAGES = (
    *("numba-cuda", "numba", "llvmlite", "nvidia-nvvm", "nvidia-nvjitlink"),
    *("nvidia-cuda-nvcc-cu12", "nvidia-nvjitlink-cu12"),  # the last two, by CUDA 12's names
)


@cache
def fingerprint() -> bytes:
    """A digest of the sources of this backend and of the versions of its compilers."""
    digest = hashlib.sha256(_FORMAT)
    for package in _PACKAGES:
        digest.update(f"{package} {_version(package)}\n".encode())
    here = Path(__file__).parent
    for path in sorted(here.rglob("*.py")):
        text = path.read_bytes()
        name = path.relative_to(here).as_posix().encode()
        digest.update(len(name).to_bytes(8, "little") + name)
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.digest()


def key_of(kernel: Kernel, architecture: Architecture) -> bytes:
    """The cache key of a kernel's machine code."""
    words = f"{architecture_name(architecture)} {kernel.name}"
    return hashlib.sha256(fingerprint() + words.encode()).digest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
