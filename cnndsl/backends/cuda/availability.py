"""What the target cuda needs and whether it is there, in words that say what to do."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from cnndsl.backends.cuda.gpu import AMPERE, OLDEST, Architecture
from cnndsl.errors import CnnError, MissingExtra, TargetError
from cnndsl.types import Precision

_COMPILERS = ("nvvm", "nvrtc")
SIMULATE = "NUMBA_ENABLE_CUDASIM=1 in the environment runs it as Python, very slowly"


def missing_packages() -> list[str]:
    """The packages of the extra `cuda` that are not installed."""
    needed = {"numba-cuda": "numba_cuda", "cuda-bindings": "cuda.bindings"}
    return [package for package, module in needed.items() if not _is_there(module)]


def require_packages() -> None:
    """Raise `MissingExtra` unless the extra `cuda` is installed."""
    missing = missing_packages()
    if missing:
        raise MissingExtra(
            f"the target cuda needs {' and '.join(missing)}",
            fixes=["pip install 'cnndsl[cuda]'"],
        )


def missing_compilers() -> list[str]:
    """Of the libraries that make PTX of a kernel, those that are not installed."""
    if missing_packages():
        return list(_COMPILERS)
    load = import_module("cuda.pathfinder").load_nvidia_dynamic_lib
    missing: list[str] = []
    for library in _COMPILERS:
        try:
            load(library)
        except RuntimeError:
            missing.append(library)
    return missing


def require_compilers() -> None:
    """Raise `MissingExtra` unless kernels can be compiled."""
    require_packages()
    missing = missing_compilers()
    if missing:
        raise MissingExtra(
            f"compiling for a GPU needs NVIDIA's {' and '.join(missing)}",
            fixes=["pip install 'cnndsl[cuda]'"],
        )


def initialised_driver() -> Any:
    """NVIDIA's driver, ready for calls. Raises `CnnError` where it or a GPU is missing."""
    require_packages()
    api = import_module("cuda.bindings.driver")
    try:
        (status,) = api.cuInit(0)
    except (RuntimeError, OSError) as error:
        raise TargetError(
            "the target cuda needs NVIDIA's driver, and this machine has none",
            code="E702",
            notes=[str(error).strip().splitlines()[0]],
            fixes=["install the driver of an NVIDIA GPU", "the target cpu", SIMULATE],
        ) from None
    if status != api.CUresult.CUDA_SUCCESS:
        raise _no_gpu(f"the driver says {status.name}")
    status, count = api.cuDeviceGetCount()
    if status != api.CUresult.CUDA_SUCCESS or count == 0:
        raise _no_gpu("CUDA_VISIBLE_DEVICES may hide it")
    _, number = api.cuDriverGetVersion()
    require_driver(number, version("cuda-bindings"))
    return api


def require_driver(number: int, packages: str) -> None:
    """
    Raise `TargetError` for a driver that is older than the packages' CUDA.

    `number` is 1000 times the driver's version and 10 times what stands behind the dot. A driver
    loads what compilers of its own major version made, or older ones (NVIDIA, "CUDA
    Compatibility").

    >>> require_driver(13000, "13.5.0"), require_driver(13010, "12.9.10")
    (None, None)
    """
    needed = packages.partition(".")[0]
    if number // 1000 < int(needed):
        raise TargetError(
            f"NVIDIA's driver knows CUDA {number // 1000}.{number % 1000 // 10}, and the installed "
            f"compilers are those of CUDA {needed}",
            code="E702",
            fixes=["pip install 'cnndsl[cuda12]'", f"a driver for CUDA {needed}"],
        )


def require_architecture(name: str, architecture: Architecture) -> None:
    """Raise `TargetError` for a GPU that is older than the kernels."""
    if architecture < OLDEST:
        major, minor = architecture
        raise TargetError(
            f"{name} has compute capability {major}.{minor}, and the target cuda needs "
            f"{OLDEST[0]}.{OLDEST[1]} or newer",
            code="E702",
            fixes=["a GPU of the generation Turing or later", "the target cpu"],
        )


def multiplies(architecture: Architecture, precision: Precision) -> bool:
    """
    Whether a GPU computes products in that precision.

    >>> multiplies((7, 5), "float16"), multiplies((7, 5), "tf32"), multiplies((8, 0), "tf32")
    (True, False, True)
    """
    return architecture >= AMPERE or precision in ("float32", "float16")


def require_precision(name: str, architecture: Architecture, precision: Precision) -> None:
    """Raise `TargetError` for a precision that a GPU's tensor cores have not."""
    if not multiplies(architecture, precision):
        raise TargetError(
            f"{name} multiplies no {precision}: that needs compute capability 8.0 or newer",
            code="E702",
            fixes=["precision float16", "precision float32"],
        )


def _no_gpu(note: str) -> CnnError:
    return TargetError(
        "the target cuda needs an NVIDIA GPU, and the driver finds none",
        code="E702",
        notes=[note],
        fixes=["a machine with a GPU, given to this process", "the target cpu", SIMULATE],
    )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
