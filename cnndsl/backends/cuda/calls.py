"""Calls of NVIDIA's driver: in the context of one device, with its refusals as errors."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Any

from cnndsl.errors import TargetError

_OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
_SPOILT_RECORDING = "CUDA_ERROR_STREAM_CAPTURE"
_FORKED = "CUDA_ERROR_NOT_INITIALIZED"  # what was initialised is so in the parent


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Handle:
    """A stream, an event or a graph of the driver's, by its own handle."""

    value: Any


class _Postponed(threading.local):
    """
    What a thread that records has to forget, None while it does not record.

    Garbage may be collected in the middle of a recording, and freeing memory there would spoil it.
    """

    calls: list[tuple[str, tuple[Any, ...]]] | None = None


class Calls:
    """
    The driver's functions by their names, in the primary context of the first GPU.

    What context a thread had it has again after a call: other libraries may use another GPU in it.
    `api` is `cuda.bindings.driver`.
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self._success = api.CUresult.CUDA_SUCCESS
        self._postponed = _Postponed()
        (self.device,) = self.plain("cuDeviceGet", 0)
        (self._context,) = self.plain("cuDevicePrimaryCtxRetain", self.device)
        self._number = int(self._context)

    def plain(self, name: str, *arguments: Any) -> list[Any]:
        """What a call gives besides its status, in whatever context. Raises `TargetError`."""
        status, *results = getattr(self.api, name)(*arguments)
        if status != self._success:
            raise refused(name, status.name)
        return results

    def here(self, name: str, *arguments: Any) -> list[Any]:
        """What a call gives in the device's context. Raises `TargetError`."""
        before = self.enter()
        try:
            return self.plain(name, *arguments)
        finally:
            if before is not None:
                self.leave(before)

    def enter(self) -> Any:
        """Make the device's context this thread's; what is not None has to be given to `leave`."""
        (current,) = self.plain("cuCtxGetCurrent")
        number = int(current)
        if number == self._number:
            return None
        self.plain("cuCtxSetCurrent", self._context)
        return current if number else None

    def leave(self, before: Any) -> None:
        """Give the thread back the context that it had."""
        self.plain("cuCtxSetCurrent", before)

    def held(self, value: Any, destroy: str) -> Handle:
        """A handle that is destroyed when nobody holds it any more."""
        handle = Handle(value)
        self.when_gone(handle, destroy, value)
        return handle

    def when_gone(self, owner: Any, name: str, *arguments: Any) -> None:
        """Call the driver when nobody holds `owner` any more, but not as the process ends."""
        weakref.finalize(owner, self._forget, name, *arguments).atexit = False

    def postpone(self) -> None:
        """Let what this thread forgets wait until `catch_up`."""
        self._postponed.calls = []

    def catch_up(self) -> None:
        """Make the calls that have waited."""
        calls, self._postponed.calls = self._postponed.calls or [], None
        for name, arguments in calls:
            self._forget(name, *arguments)

    def _forget(self, name: str, *arguments: Any) -> None:
        if self._postponed.calls is not None:
            self._postponed.calls.append((name, arguments))
            return
        # Whoever collects garbage cannot handle an error, and the context may be gone with it.
        _, before = self.api.cuCtxGetCurrent()
        self.api.cuCtxSetCurrent(self._context)
        getattr(self.api, name)(*arguments)
        if int(before):
            self.api.cuCtxSetCurrent(before)


def refused(name: str, status: str) -> TargetError:
    """The error for a call that the driver refuses, with what would help."""
    words = f"the GPU's driver refuses {name}: {status}"
    if status == _OUT_OF_MEMORY:
        fixes = ["smaller batches", "fewer models or processes on the GPU at once"]
        return TargetError(words, code="E703", fixes=fixes)
    if status == _FORKED:
        fixes = ["a process of its own: multiprocessing's method spawn, for a fork has no GPU"]
        return TargetError(words, code="E704", fixes=fixes)
    if status.startswith(_SPOILT_RECORDING):
        fixes = ["call the model outside of a recording: it is one graph already"]
        return TargetError(words, code="E704", fixes=fixes)
    fixes = ["cnndsl doctor says which driver and which packages are installed"]
    return TargetError(words, code="E704", fixes=fixes)
