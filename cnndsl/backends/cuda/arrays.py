"""
Arrays on a device, as other libraries pass them and take them, without a copy.

PyTorch, CuPy and Numba say where their arrays lie by `__cuda_array_interface__`
(https://nvidia.github.io/numba-cuda/user/cuda_array_interface.html, version 3), others by DLPack.
What a network makes says so by both.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from cnndsl.errors import InputError

ALIGNMENT = 16
"""Bytes: kernels read four floats at a time."""
_FLOAT32 = "<f4"
_DLPACK_CUDA = (2, 13)  # the kinds kDLCUDA and kDLCUDAManaged
_DEFAULT_STREAM = 1  # of both protocols: 0 would be none that can be waited for


@dataclass(frozen=True, slots=True, weakref_slot=True)
class DeviceArray:
    """
    float32 on a device, in order and without gaps.

    `stream` is the handle of the stream whose work writes it: whoever reads it in another waits for
    that one. `owner` keeps the memory.
    """

    address: int
    shape: tuple[int, ...]
    stream: int
    owner: Any

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """What PyTorch, CuPy and Numba make an array of theirs from."""
        return {
            "shape": self.shape,
            "typestr": _FLOAT32,
            "data": (self.address, False),
            "strides": None,
            "stream": self.stream or _DEFAULT_STREAM,
            "version": 3,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        """The first GPU, as `Device` is."""
        return _DLPACK_CUDA[0], 0

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """
        What whoever takes arrays by DLPack makes an array of theirs from.

        `stream` reads it: it waits for the one that writes it, unless it is -1.
        """
        reader = _DEFAULT_STREAM if stream is None else stream
        view = _memory_view().from_cuda_array_interface(self, reader)
        if not hasattr(view, "__dlpack__"):
            raise BufferError("giving arrays by DLPack needs a newer cuda-core: pip install -U")
        return view.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)


def device_array(x: Any, called: str, reader: int = 0, writes: bool = False) -> DeviceArray:
    """
    Where an array of somebody else's lies, which the network `writes` or reads.

    `reader` is the handle of the stream that reads or writes it, 0 for the default one: what gives
    itself by DLPack lets that one wait for its own work.

    Raises `InputError` for what does not lie on a device, another element type, gaps, or an address
    that kernels cannot read from.
    """
    try:
        facts: dict[str, Any] | None = getattr(x, "__cuda_array_interface__", None)
    except RuntimeError as error:  # PyTorch's, of a tensor that gradients flow through
        raise InputError(
            f"{called} on the device is not given: {error}", fixes=["x.detach(), in PyTorch"]
        ) from None
    if facts is None:
        return _checked(_from_dlpack(x, called, reader), called)
    shape = tuple(facts["shape"])
    if facts["typestr"] != _FLOAT32:
        raise InputError(
            f"{called} on the device holds {facts['typestr']}, and the network reads float32",
            code="E602",
            fixes=["x.float(), in PyTorch"],
        )
    strides = facts.get("strides")
    if strides is not None and tuple(strides) != _dense_strides(shape):
        raise InputError(
            f"{called} on the device has gaps or another order of axes",
            fixes=["x.contiguous(), in PyTorch"],
        )
    address, read_only = facts["data"]
    if read_only and writes:
        raise InputError(f"{called} on the device may only be read")
    return _checked(DeviceArray(address, shape, facts.get("stream") or 0, x), called)


def stream_handle(stream: Any) -> int:
    """
    The handle of a stream of PyTorch's, CuPy's, Numba's or CUDA Python's, or the handle itself.

    Raises `InputError` for what is no stream.
    """
    if hasattr(stream, "__cuda_stream__"):
        return int(stream.__cuda_stream__()[1])
    for name in ("cuda_stream", "ptr", "handle"):
        if hasattr(stream, name):
            handle = getattr(stream, name)
            return int(getattr(handle, "value", handle) or 0)
    if isinstance(stream, int):
        return stream
    raise InputError(f"{type(stream).__name__} is no stream", fixes=["its handle, as an integer"])


def _from_dlpack(x: Any, called: str, reader: int) -> DeviceArray:
    place = getattr(x, "__dlpack_device__", None)
    if place is None or place()[0] not in _DLPACK_CUDA:
        raise InputError(
            f"{called} does not lie on a GPU: it is {type(x).__name__}",
            fixes=["model(x), which brings NumPy's arrays there", "x.cuda(), in PyTorch"],
        )
    # Reads the capsule and takes it, so that its owner knows.
    view = _memory_view().from_dlpack(x, reader or _DEFAULT_STREAM)
    shape = tuple(view.shape)
    if view.dtype != np.float32:
        raise InputError(
            f"{called} on the device holds {view.dtype}, and the network reads float32",
            code="E602",
        )
    # Here strides count elements.
    if view.strides is not None and tuple(4 * n for n in view.strides) != _dense_strides(shape):
        raise InputError(f"{called} on the device has gaps or another order of axes")
    return DeviceArray(view.ptr, shape, reader, view)


def _memory_view() -> Any:
    """What gives and takes capsules of DLPack; numba-cuda brings its package."""
    return import_module("cuda.core.utils").StridedMemoryView


def _checked(array: DeviceArray, called: str) -> DeviceArray:
    if array.address % ALIGNMENT:
        raise InputError(
            f"{called} starts at an address that is no multiple of {ALIGNMENT} bytes",
            fixes=["x.clone(), in PyTorch"],
        )
    return array


def _dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Bytes from one place along each axis to the next, without gaps."""
    return tuple(4 * prod(shape[axis + 1 :]) for axis in range(len(shape)))
