"""Kernels in this process: loaded from the cache, compiled where the cache lacks them."""

from __future__ import annotations

import os
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

# So many kernels take longer to be compiled than another process to get ready for it.
WORTH_STARTING = 4


class Library:
    """
    Addresses of compiled kernels.

    Freshly compiled code is loaded as cached code is. LLVM is imported only where a kernel is
    missing from the cache, or where `elf` cannot load what was found.
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
        Compile what will be missing as soon as it is announced, meanwhile and until the end.

        Other processes get ready for it where much will be: where `executor` is missing, which all
        programs need. Where it is not, there is less to do than they take to get ready.
        """
        companion = None
        if self._companion is None:
            is_new = executor not in self._addresses and not self.is_cached(executor)
            companion = self._companion = _companion(with_others=is_new)
        try:
            yield
        finally:
            if companion is not None:
                self._companion = None
                companion.end()

    def announce(self, kernels: Iterable[Kernel]) -> None:
        """Say that the addresses of kernels will be wanted: they may be compiled at once."""
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
        """Compile kernels, here and in other processes where that is sooner done."""
        companion = self._companion or _companion(with_others=len(kernels) >= WORTH_STARTING)
        try:
            companion.ask(kernels)
            companion.take_part()
            made = {kernel: companion.wait_for(kernel) for kernel in kernels}
        finally:
            if companion is not self._companion:
                companion.end()
        return {kernel: code or _compile(kernel) for kernel, code in made.items()}

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
    # Imported here, so that a process which finds its kernels in the cache spares LLVM.
    from cnndsl.backends.cpu.compile import compile_kernel

    return compile_kernel(kernel)


def _companion(*, with_others: bool) -> Companion:
    """What compiles, with other processes where there can be some."""
    # Imported here, as above.
    from cnndsl.backends.cpu.companion import Companion, companions

    return Companion(companions() if with_others else 0, thread=True)


@cache
def shared_library() -> Library:
    """The library of this process, over the user's own cache."""
    return Library(FileCache(default_directory()))
