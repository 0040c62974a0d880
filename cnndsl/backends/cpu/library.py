"""Kernels in this process: loaded from the cache, compiled where the cache lacks them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING

from cnndsl.backends.cpu.elf import IS_AT_HOME, ForeignError, load_objects
from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.cache import FileCache, default_directory

if TYPE_CHECKING:
    from cnndsl.backends.cpu.companion import Companion
    from cnndsl.backends.cpu.llvm_loader import LlvmLoader

# So many kernels take longer to be compiled than numba to be imported: a process that has not done
# so yet takes part from there on.
WORTH_IMPORTING = 4


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
        self._companion: Companion | None = None
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
                objects = self._objects(missing)
                found = self._loaded([objects[kernel] for kernel in missing], missing)
                self._addresses |= {kernel: found[kernel.symbol] for kernel in missing}
            return {kernel: self._addresses[kernel] for kernel in wanted}

    def is_cached(self, kernel: Kernel) -> bool:
        """Whether the cache has the kernel as this process would compile it."""
        return self._cache.get(kernel.name, key_of(kernel.name)) is not None

    @contextmanager
    def expecting(self, executor: Kernel) -> Generator[None]:
        """
        Let a second process get ready to compile what will be missing, meanwhile and until the end.

        Only where much will be: where `executor`, which all programs need, is missing. For a few
        kernels it would not be ready sooner than this process, whose planning it slows down.
        """
        companion, is_early = None, self._companion is None and not _is_ready()
        if is_early and not self.is_cached(executor):
            companion = self._companion = _companion()
        try:
            yield
        finally:
            if companion is not None:
                self._companion = None
                companion.end()

    def announce(self, kernels: Iterable[Kernel]) -> None:
        """Say that the addresses of kernels will be wanted: a second process may begin at once."""
        companion = self._companion
        if companion is not None:
            known = self._addresses
            companion.ask([k for k in kernels if k not in known and not self.is_cached(k)])

    def _objects(self, kernels: list[Kernel]) -> dict[Kernel, bytes]:
        """The object files of kernels, from the cache, or compiled and then kept there."""
        found = {kernel: self._cache.get(kernel.name, key_of(kernel.name)) for kernel in kernels}
        lacking = [kernel for kernel in kernels if found[kernel] is None]
        made = self._compiled(lacking) if lacking else {}
        for kernel, code in made.items():
            self._cache.put(kernel.name, key_of(kernel.name), code)
        return {kernel: code or made[kernel] for kernel, code in found.items()}

    def _compiled(self, kernels: list[Kernel]) -> dict[Kernel, bytes]:
        """Compile kernels, here and in a second process where that is sooner done."""
        companion, made = self._companion, dict[Kernel, bytes]()
        own = _companion() if companion is None and len(kernels) >= WORTH_IMPORTING else None
        companion = companion or own
        try:
            if companion is not None:
                companion.ask(kernels)
                while kernel := companion.take_back(1 if _is_ready() else WORTH_IMPORTING):
                    made[kernel] = _compile(kernel)
                for kernel in kernels:
                    if kernel not in made and (code := companion.wait_for(kernel)) is not None:
                        made[kernel] = code
        finally:
            if own is not None:
                own.end()
        return {kernel: made.get(kernel) or _compile(kernel) for kernel in kernels}

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

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()
        self._companion = None  # the parent's


def _compile(kernel: Kernel) -> bytes:
    # Imported here, so that a process which finds its kernels in the cache spares numba.
    from cnndsl.backends.cpu.compile import compile_kernel

    return compile_kernel(kernel)


def _is_ready() -> bool:
    """Whether this process can compile at once."""
    return "numba" in sys.modules


def _companion() -> Companion | None:
    """A second process that compiles, where there can be one."""
    # Imported here, as above.
    from cnndsl.backends.cpu.companion import Companion, can_have_companion

    return Companion() if can_have_companion() else None


@cache
def shared_library() -> Library:
    """The library of this process, over the user's own cache."""
    return Library(FileCache(default_directory()))
