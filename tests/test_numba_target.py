"""Kernels are compiled with a part of Numba, beside whatever else a process compiles with it."""

import numpy as np
import pytest
from numba import njit
from numba.core.target_extension import current_target

from cnndsl.backends.cpu.compile import compile_kernel
from cnndsl.backends.cpu.kernel import Kernel

pytestmark = pytest.mark.cache


def test_a_caller_s_functions_and_kernels_compile_beside_each_other():
    before = compile_kernel(Kernel("copy", "zero_halo"))

    @njit
    def doubled(values):
        return sum([2 * value for value in values])

    assert doubled(np.arange(4.0)) == 12
    assert current_target() == "cpu"
    assert len(compile_kernel(Kernel("copy", "zero_halo"))) == len(before)
