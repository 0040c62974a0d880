"""Kernels in this process: loaded from the cache, compiled where the cache lacks them."""

import os
import threading
from collections.abc import Iterable
from functools import cache

from llvmlite import binding

from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.cache import FileCache, default_directory


class Library:
    """
    Addresses of compiled kernels.

    Code is loaded with llvmlite alone, freshly compiled code too; numba is imported only where a
    kernel is missing from the cache. Code once loaded stays until the process ends. Safe to use
    from several threads, and after a fork.
    """

    def __init__(self, cache: FileCache) -> None:
        self._cache = cache
        self._addresses: dict[Kernel, int] = {}
        self._engine = _empty_engine()
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
            objects = {kernel: self._object(kernel) for kernel in missing}
            for code in objects.values():
                self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            for kernel in missing:
                self._addresses[kernel] = self._engine.get_function_address(kernel.symbol)
            return {kernel: self._addresses[kernel] for kernel in wanted}

    def is_cached(self, kernel: Kernel) -> bool:
        """Whether the cache has the kernel as this process would compile it."""
        return self._cache.get(kernel.name, key_of(kernel.name)) is not None

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


def _empty_engine() -> binding.ExecutionEngine:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
