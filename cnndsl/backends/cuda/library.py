"""Kernels as machine code: found in the user's cache, compiled where the cache lacks them."""

from __future__ import annotations

from cnndsl.backends.cuda.availability import require_compilers
from cnndsl.backends.cuda.fingerprint import key_of
from cnndsl.backends.cuda.gpu import Architecture, architecture_name
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.link import can_link, link
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
        ptx = kernel_ptx(kernel, architecture)
        code = link(ptx, architecture).cubin if can_link() else ptx.encode() + b"\0"
        cache.put(name, key, code)
    return code


def is_cached(kernel: Kernel, architecture: Architecture, cache: FileCache) -> bool:
    """Whether the cache has the kernel as this process would compile it."""
    name = f"{architecture_name(architecture)}-{kernel.name}"
    return cache.get(name, key_of(kernel, architecture)) is not None
