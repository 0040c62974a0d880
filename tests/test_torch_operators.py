"""Every operator's definition beside PyTorch's own functions, in float64."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES
from peers import normal

from cnndsl.errors import MissingExtra
from cnndsl.interop.torch_operators import evaluate_by_torch
from cnndsl.ops.activation import Activation
from cnndsl.ops.functions import FUNCTIONS
from cnndsl.ops.input import Input
from cnndsl.ops.registry import OPERATORS


def params_of(op, *operands):
    """Numbers that every operator accepts: variances and scales are positive."""
    drawn = {p.name: normal(*p.shape, seed=7 + i) for i, p in enumerate(op.params(*operands))}
    return {name: np.abs(a) + 0.1 if name == "variance" else a for name, a in drawn.items()}


@pytest.mark.peers
@pytest.mark.parametrize("row_type", sorted(set(OPERATORS) - {Input.row_type}))
@given(data=st.data())
def test_an_operator_is_pytorchs(torch, row_type, data):
    op, operands = data.draw(CASES[row_type])
    xs = [normal(2, *operand.shape, seed=i) for i, operand in enumerate(operands)]
    params = params_of(op, *operands)
    wanted = op.evaluate(*xs, **params)
    found = evaluate_by_torch(op, *xs, **params)
    # Operands are about 1: where a result is exactly 0, what is left of them is rounding.
    largest = max(np.abs(wanted).max(), 1e-3)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * largest)


@pytest.mark.peers
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_pytorchs(torch, name):
    numbers = [str(c.default or n) for n, c in enumerate(FUNCTIONS[name].constants, 1)]
    op = Activation(f"{name}({','.join(numbers)})" if numbers else name)
    x = np.linspace(-6, 6, 48).reshape(1, 4, 4, 3)
    np.testing.assert_allclose(evaluate_by_torch(op, x), op.evaluate(x), rtol=1e-9, atol=1e-12)


def test_without_pytorch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra) as refused:
        evaluate_by_torch(Activation("relu"), np.ones((1, 2)))
    assert "cnndsl[torch]" in str(refused.value.diagnostics[0].fixes)
