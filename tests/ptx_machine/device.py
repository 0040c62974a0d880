"""The machine as a device: kernels are compiled for an architecture as for a GPU, and run here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from cuda_memory import Fault
from numpy.typing import NDArray

from cnndsl.backends.cuda.driver import Function
from cnndsl.backends.cuda.gpu import LARGEST_GRID, Architecture, Gpu, assumed_gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Extent
from ptx_machine.execute import Machine
from ptx_machine.memory import WORD, DeviceMemory

_TYPES = {"u64": np.uint64, "u32": np.int32, "f32": np.float32}


@cache
def machine(kernel: Kernel, architecture: Architecture) -> Machine:
    """A kernel's PTX for an architecture, ready to run."""
    # Imported here: only what compiles needs numba.
    from cnndsl.backends.cuda.compile import kernel_ptx

    return Machine(kernel_ptx(kernel, architecture))


@dataclass(frozen=True)
class _Memory:
    memory: DeviceMemory
    address: int

    def at(self, offset: int) -> int:
        return self.address + WORD * offset


@dataclass
class PtxDevice:
    """A `Driver` whose every call is done when it returns."""

    gpu: Gpu = field(default_factory=lambda: assumed_gpu((8, 0)))
    records: bool = False
    memory: DeviceMemory = field(default_factory=DeviceMemory)
    launched: set[str] = field(default_factory=set)

    def free_bytes(self) -> int:
        return 1 << 32

    def function(self, kernel: Kernel) -> Function:
        return Function(machine(kernel, self.gpu.architecture), kernel.shared_bytes)

    def allocate(self, count: int) -> _Memory:
        return _Memory(self.memory, self.memory.allocate(count))

    def allocate_within(self, stream: None, count: int) -> _Memory:
        return self.allocate(count)

    def upload(self, array: NDArray[Any]) -> _Memory:
        memory = self.allocate(array.size)
        self.memory.upload(memory.address, array)
        return memory

    def borrow(self, address: int) -> _Memory:
        return _Memory(self.memory, address)

    def pinned(self, count: int) -> NDArray[np.float32]:
        return np.empty(count, np.float32)

    def stream(self) -> None: ...

    def foreign_stream(self, handle: int) -> None: ...

    def launch(
        self,
        stream: None,
        function: Function,
        extents: tuple[Extent, Extent],
        pointers: tuple[int, ...],
        shape: tuple[int | float, ...],
    ) -> None:
        """Run a kernel, if a GPU would."""
        grid, _ = extents
        code: Machine = function.code
        shared_bytes = code.module.shared_bytes + function.shared_bytes
        if not all(1 <= n <= most for n, most in zip(grid, LARGEST_GRID, strict=True)):
            raise Fault(f"no grid has {grid} blocks")
        if shared_bytes > self.gpu.shared_bytes:
            raise Fault(f"no block has {shared_bytes} bytes of shared memory")
        # As `Device.launch` passes them: numbers by the type of their values.
        kinds = ["f32" if isinstance(number, float) else "u32" for number in shape]
        given = ["u64"] * len(pointers) + kinds
        if given != list(code.module.params.values()):
            raise Fault(f"{code.module.entry} takes {list(code.module.params.values())}: {given}")
        arguments = [_TYPES[k](n) for k, n in zip(given, (*pointers, *shape), strict=True)]
        self.launched.add(code.module.entry)
        code.launch(self.memory, extents, function.shared_bytes, arguments)

    def copy_in(self, stream: None, to: _Memory, of: NDArray[np.float32]) -> None:
        self.memory.upload(to.address, of)

    def copy_out(self, stream: None, to: NDArray[np.float32], of: _Memory) -> None:
        to[:] = self.memory.download(of.address, to.size)

    def record(self, stream: None, work: Callable[[], None]) -> Callable[[], None]:
        return work

    def replay(self, stream: None, graph: Callable[[], None]) -> None:
        graph()

    def follow(self, stream: None, graph: Callable[[], None], before: None, again: None) -> None:
        graph()

    def mark(self, stream: None) -> None: ...

    def wait_for(self, stream: None, event: None) -> None: ...

    def wait(self, stream: None) -> None: ...


@dataclass(frozen=True)
class Called:
    """A kernel that is called on arrays of the host's: `kernel[grid, block](*arguments)`."""

    kernel: Kernel
    device: PtxDevice
    extents: tuple[Any, Any] = (1, 1)

    def __getitem__(self, extents: tuple[Any, Any]) -> Called:
        return Called(self.kernel, self.device, extents)

    def __call__(self, *arguments: Any) -> None:
        *arrays, shape = arguments
        there = [self.device.upload(array) for array in arrays]
        pointers = tuple(memory.at(0) for memory in there)
        extents = tuple(map(_extent, self.extents))
        self.device.launch(None, self.device.function(self.kernel), extents, pointers, shape)
        for array, memory in zip(arrays, there, strict=True):
            self.device.copy_out(None, array.view(np.float32), memory)


def _extent(size: int | tuple[int, ...]) -> Extent:
    sizes = (size,) if isinstance(size, int) else size
    return (*sizes, 1, 1)[:3]
