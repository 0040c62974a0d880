"""From PTX to machine code, and what it takes of a processor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cnndsl.backends.cuda.gpu import Architecture, architecture_name
from cnndsl.errors import TargetError


@dataclass(frozen=True, slots=True)
class MachineCode:
    """
    A kernel for one architecture.

    A thread has `registers`; `spilled_bytes` of what it computes with did not fit into them and go
    to memory and back. `stack_bytes` is memory of a thread's own, `shared_bytes` that of a block.
    """

    cubin: bytes
    registers: int
    spilled_bytes: int
    stack_bytes: int
    shared_bytes: int


class UnknownArchitecture(TargetError):
    """There are GPUs that are newer than the linker."""


def can_link() -> bool:
    """Whether NVIDIA's linker is installed."""
    try:
        found = find_spec("cuda.bindings.nvjitlink") is not None
        return found and bool(_linker().version())
    except (ImportError, RuntimeError):
        return False


def link(ptx: str, architecture: Architecture) -> MachineCode:
    """
    The machine code of one kernel's PTX.

    Raises `TargetError` where the linker does not take it: it may be older than what made the PTX,
    and `UnknownArchitecture` where it is older than the GPU.
    """
    linker = _linker()
    options = [f"-arch={architecture_name(architecture)}", "-verbose"]
    try:
        handle = linker.create(len(options), options)
    except linker.nvJitLinkError as error:
        raise UnknownArchitecture(
            f"NVIDIA's linker does not know {architecture_name(architecture)}: {error}",
            code="E702",
            fixes=["packages of a newer CUDA: pip install -U nvidia-nvjitlink nvidia-nvvm"],
        ) from None
    try:
        data = ptx.encode()
        linker.add_data(handle, linker.InputType.PTX, data, len(data), "kernel")
        linker.complete(handle)
        cubin = bytearray(linker.get_linked_cubin_size(handle))
        linker.get_linked_cubin(handle, cubin)
        log = bytearray(linker.get_info_log_size(handle))
        linker.get_info_log(handle, log)
    except linker.nvJitLinkError as error:
        raise TargetError(
            f"NVIDIA's linker refuses a kernel: {_first_complaint(linker, handle) or error}",
            code="E702",
            fixes=["packages of one release of CUDA: pip install -U nvidia-nvjitlink nvidia-nvvm"],
        ) from None
    finally:
        linker.destroy(handle)
    return _read(bytes(cubin), log.decode(errors="replace"))


def _read(cubin: bytes, log: str) -> MachineCode:
    """
    What the assembler says of the one kernel.

    >>> text = "8 bytes stack frame, 4 bytes spill stores, 2 bytes spill loads"
    >>> text += " Used 16 registers, used 1 barriers, 0 stack, 1280 bytes smem"
    >>> _read(b"", text)
    MachineCode(cubin=b'', registers=16, spilled_bytes=6, stack_bytes=8, shared_bytes=1280)
    """

    def number(pattern: str) -> int:
        found = re.search(pattern, log)
        return int(found[1]) if found else 0

    spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    return MachineCode(
        cubin,
        number(r"[Uu]sed (\d+) registers"),
        spilled,
        number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes smem"),
    )


def _first_complaint(linker: Any, handle: Any) -> str:
    log = bytearray(linker.get_error_log_size(handle))
    linker.get_error_log(handle, log)
    lines = log.decode(errors="replace").strip("\0 \n").splitlines()
    return lines[0] if lines else ""


def _linker() -> Any:
    return import_module("cuda.bindings.nvjitlink")
