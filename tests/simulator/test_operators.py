"""Every operator that CUDA has kernels for, with random operands and epilogues."""

import numpy as np
import pytest
from cuda_steps import computed, step_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from test_cpu_operators import FEW, NOT_COMPUTED, allowed_error, within
from tolerances import EPSILON

from cnndsl.backends.cuda.simulator import shared_simulator
from cnndsl.ops.activation import Activation

BATCH = 2


@pytest.mark.parametrize("row_type", sorted(set(CASES) - set(NOT_COMPUTED)))
@settings(max_examples=6, phases=[Phase.generate])
@given(
    data=st.data(),
    function=st.sampled_from(["linear", "linear", "relu", "tanh"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_kernel_computes_what_the_operator_says(row_type, data, function, seed):
    op, types = data.draw(CASES[row_type])
    rng = np.random.default_rng(seed)
    operands = [
        rng.standard_normal((BATCH, *t.shape)).astype(np.float32).astype(float) for t in types
    ]
    params = {
        name: array.astype(np.float32).astype(float)
        for name, array in random_weights(op.params(*types), rng).items()
    }
    expected = op.evaluate(*operands, **params)
    allowed = allowed_error(op, operands, params, expected)
    epilogue = ()
    if not (op.moves or row_type in ("activation", "dropout") or function == "linear"):
        epilogue = (Activation(function),)
        expected = epilogue[0].evaluate(expected)
        allowed = allowed + (FEW * EPSILON * np.abs(expected) if function == "tanh" else 0.0)
    y = computed(shared_simulator(), step_of(op, operands, epilogue), operands, params)
    within(op, y, expected, np.broadcast_to(allowed, expected.shape))
