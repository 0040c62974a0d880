"""Kernels in this process: loaded from the cache, compiled where the cache lacks them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING

from cnndsl.backends.cpu.elf import IS_AT_HOME, ForeignError, load_objects
from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.cache import FileCache, default_directory

if TYPE_CHECKING:
    from cnndsl.backends.cpu.llvm_loader import LlvmLoader


class Library:
    """
    Addresses of compiled kernels.

    Freshly compiled code is loaded as cached code is. Numba is imported only where a kernel is
    missing from the cache, and llvmlite beside it only where `elf` cannot load what was found.
    Code once loaded stays until the process ends. Safe to use from several threads, and after a
    fork.
    """

    def __init__(self, cache: FileCache) -> None:
        self._cache = cache
        self._addresses: dict[Kernel, int] = {}
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._renew_lock)

    def address(self, kernel: Kernel) -> int:
        """The address of one kernel."""
        return self.addresses([kernel])[kernel]

    def addresses(self, kernels: Iterable[Kernel]) -> dict[Kernel, int]:
        """The address of each of `kernels`; those not here yet are loaded in one go."""
        wanted = tuple(dict.fromkeys(kernels))
        with self._lock:
            missing = [kernel for kernel in wanted if kernel not in self._addresses]
            if missing:
                found = self._loaded([self._object(kernel) for kernel in missing], missing)
                self._addresses |= {kernel: found[kernel.symbol] for kernel in missing}
            return {kernel: self._addresses[kernel] for kernel in wanted}

    def is_cached(self, kernel: Kernel) -> bool:
        """Whether the cache has the kernel as this process would compile it."""
        return self._cache.get(kernel.name, key_of(kernel.name)) is not None

    def _loaded(self, objects: list[bytes], kernels: list[Kernel]) -> dict[str, int]:
        """The addresses of the kernels' symbols at least."""
        if IS_AT_HOME:
            # LLVM may take a file that is foreign here, and knows other ways to memory for code.
            with suppress(ForeignError, OSError):
                return load_objects(objects)
        return self._llvm.load(objects, [kernel.symbol for kernel in kernels])

    @cached_property
    def _llvm(self) -> LlvmLoader:
        # Imported here: most processes need no LLVM, which takes a while to be loaded.
        from cnndsl.backends.cpu.llvm_loader import LlvmLoader

        return LlvmLoader()

    def _object(self, kernel: Kernel) -> bytes:
        key = key_of(kernel.name)
        cached = self._cache.get(kernel.name, key)
        if cached is not None:
            return cached
        # Imported here, so that a process which finds its kernels in the cache spares numba.
        from cnndsl.backends.cpu.compile import compile_kernel

        compiled = compile_kernel(kernel)
        self._cache.put(kernel.name, key, compiled)
        return compiled

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()


@cache
def shared_library() -> Library:
    """The library of this process, over the user's own cache."""
    return Library(FileCache(default_directory()))
