"""Numba compiles kernels that write themselves down to the same, and those that do more."""

import ctypes

import numpy as np
import pytest
from numba import njit
from numba.core.target_extension import current_target

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.compile import optimised_module, python_of, written_down
from cnndsl.backends.cpu.integers import Value
from cnndsl.backends.cpu.intrinsics import Argument, emits
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.llvm_loader import LlvmLoader
from cnndsl.backends.cpu.machine import host_machine, optimise
from cnndsl.backends.cpu.memory import SCALAR, entry, set_entry
from cnndsl.backends.cpu.numba_target import compiled_by_numba
from cnndsl.cache import FileCache

pytestmark = pytest.mark.cache


PERMUTE = Kernel("copy", "permute")
SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)


@emits(SCALAR)
def _raise_entry(code: Code, table: Value, index: Value) -> None:
    set_entry(code, table, index, entry(code, table, index) + 1)


def counting(table: int, begin: int, end: int, scratch: int) -> None:
    """A kernel that computes by itself."""
    for index in range(begin, end):
        if index % 2 == 0:
            _raise_entry(table, index)


@pytest.mark.parametrize("name", ["tanh", "gelu_tanh", "softplus"])
def test_what_a_kernel_writes_down_computes_what_numba_makes_of_it(name):
    function = python_of(Kernel("activations", "activation", (name,)))
    modules = [optimised_module(function, "ours"), compiled_by_numba(function, "numbas")]
    optimise(modules[1])
    objects = [host_machine().emit_object(module) for module in modules]
    loader = LlvmLoader()  # whose code is there as long as it is
    addresses = loader.load(objects, ["ours", "numbas"])
    x = np.linspace(-9, 9, 1003, dtype=np.float32)
    results = [x.copy(), x.copy()]
    for y, address in zip(results, addresses.values(), strict=True):
        SIGNATURE(address)(y.ctypes.data, 1, len(y), len(y))
    assert not np.array_equal(results[0], x)
    assert results[0].tobytes() == results[1].tobytes()


def test_a_kernel_that_computes_is_numba_s(tmp_path, monkeypatch):
    with pytest.raises(TypeError):
        written_down(counting, "counting")
    monkeypatch.setattr("cnndsl.backends.cpu.kernels.copy.counting", counting, raising=False)
    table = np.zeros(6, np.int64)
    address = Library(FileCache(tmp_path)).address(Kernel("copy", "counting"))
    SIGNATURE(address)(table.ctypes.data, 1, 6, 0)
    assert table.tolist() == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("asked", [bool, range, hash, lambda a: a == 0, lambda a: a + 1])
def test_nothing_can_be_asked_of_an_argument_that_is_not_known(asked):
    with pytest.raises(TypeError):
        asked(Argument(None, None))


def test_a_caller_s_functions_and_kernels_compile_beside_each_other():
    def compiled():
        return str(compiled_by_numba(python_of(PERMUTE), PERMUTE.symbol)).splitlines()

    before = compiled()

    @njit
    def doubled(values):
        return sum([2 * value for value in values])

    assert doubled(np.arange(4.0)) == 12
    assert current_target() == "cpu"
    assert len(compiled()) == len(before)  # which names its values by other numbers
