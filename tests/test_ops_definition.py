"""Each operator computes its definition, has the shape that it infers, and costs what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from op_strategies import OPERATORS_FOR
from plain_definitions import DEFINITIONS
from strategies import ON_IMAGES, ON_VECTORS, TO_VECTORS

from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.registry import OPERATORS
from cnndsl.ops.text import format_op, parse_op
from cnndsl.types import f32

COMPUTING = sorted(set(OPERATORS) - {"input"})
each_operator = pytest.mark.parametrize("row_type", sorted(OPERATORS))
each_computing_operator = pytest.mark.parametrize("row_type", COMPUTING)


def drawn(params, operands, batch, seed):
    """Random operands and weights."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal((batch, *operand.shape)) for operand in operands]
    return arrays, random_weights(params, rng)


def test_every_operator_has_a_strategy_and_a_definition():
    assert set(CASES) == set(OPERATORS)
    assert set(DEFINITIONS) == set(COMPUTING)


def test_random_networks_draw_every_operator_that_has_a_strategy_for_an_operand():
    assert {*ON_IMAGES, *TO_VECTORS, *ON_VECTORS} == set(OPERATORS_FOR)


@each_computing_operator
@given(data=st.data(), batch=st.integers(1, 2), seed=st.integers(0, 2**32 - 1))
def test_an_operator_computes_its_definition(row_type, data, batch, seed):
    op, operands = data.draw(CASES[row_type])
    arrays, weights = drawn(op.params(*operands), operands, batch, seed)
    y = op.evaluate(*arrays, **weights)
    plain, _ = DEFINITIONS[row_type](op, *arrays, **weights)
    np.testing.assert_allclose(y, plain, rtol=1e-12, atol=1e-12)


@each_computing_operator
@given(data=st.data(), batch=st.integers(1, 3))
def test_the_inferred_shape_is_the_evaluated_shape(row_type, data, batch):
    op, operands = data.draw(CASES[row_type])
    arrays, weights = drawn(op.params(*operands), operands, batch, seed=0)
    y = op.evaluate(*arrays, **weights)
    # What reads nothing is the same for every image, and says it for one.
    assert y.shape == (batch if operands else 1, *op.infer(*operands).shape)
    assert y.dtype == np.float64
    assert np.isfinite(y).all()


@each_computing_operator
@given(data=st.data())
def test_parameters_and_multiply_accumulates_are_those_that_the_loops_count(row_type, data):
    op, operands = data.draw(CASES[row_type])
    params = op.params(*operands)
    arrays, weights = drawn(params, operands, 1, seed=0)
    _, macs = DEFINITIONS[row_type](op, *arrays, **weights)
    assert op.macs(*operands) == macs
    assert len({param.name for param in params}) == len(params)
    for param in params:
        free = 0
        for where in np.ndindex(param.shape):
            free += param.mask is None or bool(param.mask[where])
        assert param.count == free


@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_a_convolution_reads_nothing_that_its_connections_leave_out(data, seed):
    op, operands = data.draw(CASES["conv"].filter(lambda case: case[0].connect))
    arrays, weights = drawn(op.params(*operands), operands, 1, seed)
    y = op.evaluate(*arrays, **weights)
    mask = op.params(*operands)[0].mask
    weights["weight"] = np.where(mask, weights["weight"], 1e3)
    np.testing.assert_array_equal(op.evaluate(*arrays, **weights), y)


@each_operator
@given(data=st.data())
def test_an_operator_survives_its_text(row_type, data):
    op, _ = data.draw(CASES[row_type])
    assert parse_op(format_op(op)) == op


@each_operator
@given(data=st.data())
def test_an_operator_says_its_formula_in_one_line(row_type, data):
    op, operands = data.draw(CASES[row_type])
    formula = op.formula(*operands)
    assert formula.startswith("y")
    assert "=" in formula
    assert "\n" not in formula


@each_operator
def test_an_operator_documents_itself(row_type):
    operator = OPERATORS[row_type]
    assert operator.row_type == row_type
    assert operator.summary
    assert operator.__doc__
    for attribute in attributes_of(operator):
        assert attribute.doc
        if attribute.default is not None and attribute.default != ():
            assert attribute.kind.parse(attribute.kind.format(attribute.default)) == (
                attribute.default
            )


def test_the_connections_of_lenets_c3_are_counted_as_the_paper_counts_them():
    """LeCun et al. 1998, section II.B: 1,516 parameters, 151,600 connections with the biases'."""
    threes, fours = "0-2,1-3,2-4,3-5,0+4-5,0-1+5", "0-3,1-4,2-5,0+3-5,0-1+4-5,0-2+5"
    table = f"{threes},{fours},0-1+3-4,1-2+4-5,0+2-3+5,0-5"
    conv, s2 = parse_op(f"conv maps=16 kernel=5 connect={table}"), f32(14, 14, 6)
    assert sum(param.count for param in conv.params(s2)) == 1516
    assert conv.macs(s2) + conv.infer(s2).size == 151_600


@pytest.mark.parametrize(("centres", "trainable"), [("trained", True), ("fixed", False)])
def test_fixed_centres_are_counted_and_not_trained(centres, trainable):
    (param,) = parse_op(f"rbf maps=10 distance=squared centres={centres}").params(f32(84))
    assert (param.count, param.trainable) == (840, trainable)


def test_sigmoid_keeps_the_digits_of_small_results_and_overflows_nowhere():
    x = np.array([[-745.0, -700.0, -40.0, 40.0, 1e4, -1e4]])
    y = parse_op("activation activation=sigmoid").evaluate(x)
    np.testing.assert_allclose(y[0, :4], [5e-324, 9.8597e-305, 4.2484e-18, 1.0], rtol=1e-4)
    np.testing.assert_array_equal(y[0, 4:], [1.0, 0.0])


def test_softmax_of_large_numbers_is_finite():
    y = parse_op("activation activation=softmax").evaluate(np.array([[1e4, 1e4, -1e4]]))
    np.testing.assert_allclose(y, [[0.5, 0.5, 0.0]])
