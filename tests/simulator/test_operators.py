"""Every operator that CUDA has kernels for, with random operands and epilogues."""

import pytest
from cuda_checks import check_operator
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from op_cases import CASES
from test_cpu_operators import NOT_COMPUTED

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cuda_sanitizer import Sanitizer


# Without shrinking: a failing example takes seconds here.
@pytest.mark.parametrize("row_type", sorted(set(CASES) - set(NOT_COMPUTED)))
@settings(max_examples=4, phases=[Phase.generate])
@given(
    data=st.data(),
    function=st.sampled_from(["linear", "linear", "relu", "tanh"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_kernel_computes_what_the_operator_says(row_type, data, function, seed):
    op, types = data.draw(CASES[row_type])
    check_operator(Sanitizer(), op, types, function, seed)
