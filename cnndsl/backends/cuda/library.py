"""Kernels as machine code: found in the user's cache, compiled where the cache lacks them."""

from __future__ import annotations

from contextlib import suppress

from cnndsl.backends.cuda.availability import require_compilers
from cnndsl.backends.cuda.fingerprint import key_of
from cnndsl.backends.cuda.gpu import Architecture, architecture_name
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.link import UnknownArchitecture, can_link, link
from cnndsl.cache import FileCache


def load_code(kernel: Kernel, architecture: Architecture, cache: FileCache) -> bytes:
    """
    What a driver loads: machine code or, without NVIDIA's linker, PTX that the driver compiles.

    numba is imported only where the cache lacks the kernel.
    """
    key, name = key_of(kernel, architecture), f"{architecture_name(architecture)}-{kernel.name}"
    code = cache.get(name, key)
    if code is None:
        from cnndsl.backends.cuda.compile import kernel_ptx

        require_compilers()
        code = _machine_code(kernel_ptx(kernel, architecture), architecture)
        cache.put(name, key, code)
    return code


def _machine_code(ptx: str, architecture: Architecture) -> bytes:
    """What the linker makes of PTX, or the PTX where there is none, or one older than the GPU."""
    if can_link():
        with suppress(UnknownArchitecture):
            return link(ptx, architecture).cubin
    return ptx.encode() + b"\0"


def is_cached(kernel: Kernel, architecture: Architecture, cache: FileCache) -> bool:
    """Whether the cache has the kernel as this process would compile it."""
    name = f"{architecture_name(architecture)}-{kernel.name}"
    return cache.get(name, key_of(kernel, architecture)) is not None
