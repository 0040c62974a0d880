"""Every operator that CUDA has kernels for, with random operands and epilogues."""

import numpy as np
import pytest
from cuda_checks import check_operator
from cuda_steps import step_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from op_cases import CASES
from test_cpu_operators import NOT_COMPUTED

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cuda_sanitizer import Sanitizer

from cnndsl.backends.cuda.gpu import SIMULATED_GPU
from cnndsl.backends.cuda.lowering.lower import lower_step
from cnndsl.ops.text import parse_op
from cnndsl.types import f32


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


ROWS_OF_QUADS = (
    "maxpool kernel=3 stride=2 padding=same_upper",
    "avgpool kernel=2 stride=1 padding=same_lower divisor=inside",
    "lppool kernel=2 stride=2 p=2",
    "subsample kernel=2 stride=2",
    "batchnorm epsilon=1e-3",
    "prelu slopes=map",
    "add",
    "mul",
    "mul of a gate",
)


@pytest.mark.parametrize("row", ROWS_OF_QUADS)
@settings(max_examples=3, phases=[Phase.generate])
@given(
    size=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    quads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_maps_that_divide_by_four_are_taken_by_fours(row, size, quads, seed):
    op, x = parse_op(row.removesuffix(" of a gate")), f32(*size, 4 * quads)
    gate = f32(1, 1, 4 * quads) if row.endswith("gate") else x
    types = (x, gate) if row.startswith(("add", "mul")) else (x,)
    step = step_of(op, [np.zeros((1, *t.shape), np.float32) for t in types])
    params = {p.name: np.ones(p.shape, np.float32) for p in op.params(*types)}
    (launch,) = (n for work in lower_step(step, params, SIMULATED_GPU) for n in work(1))
    assert launch.kernel.parameters[-2] == 4
    check_operator(Sanitizer(), op, types, "relu", seed)
