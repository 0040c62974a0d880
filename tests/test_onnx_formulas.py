"""ONNX's operators that are formulas of others: what they compute, and where models have them."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_models import assert_same, imported, model_of, node, normal, outputs_of, types_of

from cnndsl.errors import CnnError

pytestmark = pytest.mark.peers

SHAPE = (2, 6, 4, 5)


def activations_of(found):
    return [n.op.activation for n in found.graph.nodes if n.op.row_type == "activation"]


def test_a_quotient_is_a_product_with_the_reciprocal():
    nodes = [node("Sigmoid", "x", "s"), node("Div", "x s")]
    found = assert_same(model_of(nodes, [*SHAPE]), *SHAPE)
    assert activations_of(found) == ["sigmoid", "power(-1)"]


@pytest.mark.parametrize("numerator", [np.float32(1), np.float32(3), normal(6, 1, 1)])
def test_a_constant_can_be_divided(numerator):
    nodes = [node("Exp", "x", "e"), node("Div", "k e")]
    assert_same(model_of(nodes, [*SHAPE], {"k": numerator}), *SHAPE)


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.0, 2.0, 3.0, 0.4545])
def test_a_power_has_any_exponent(exponent):
    nodes = [node("Abs", "x", "a"), node("Pow", "a e")]
    assert_same(model_of(nodes, [*SHAPE], {"e": np.float32(exponent)}), *SHAPE)


def test_exponents_that_differ_along_an_axis_are_powers_of_parts():
    constants = {"e": np.arange(5, dtype=np.float32)}
    assert_same(model_of([node("Pow", "x e")], [*SHAPE], constants), *SHAPE)


def test_exponents_that_differ_from_pixel_to_pixel_are_refused():
    model = model_of([node("Pow", "x e")], [*SHAPE], {"e": normal(4, 5)})
    with pytest.raises(CnnError, match="one exponent"):
        imported(model)


def test_a_generalized_mean_is_a_pool_between_two_powers():
    """GeM (Radenovic et al. 2017, arXiv:1711.02512), as networks for image retrieval have it."""
    nodes = [
        node("Clip", "x small", "a"),
        node("Pow", "a p", "b"),
        node("GlobalAveragePool", "b", "c"),
        node("Pow", "c q"),
    ]
    constants = {"small": np.float32(1e-3), "p": np.float32(3), "q": np.float32(1 / 3)}
    found = assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
    assert types_of(found) == ["activation", "activation", "globalavgpool", "activation"]


def test_a_global_response_normalization_is_rows():
    """ConvNeXt V2 (Woo et al. 2023, arXiv:2301.00808, algorithm 1)."""
    nodes = [
        node("ReduceL2", "x", "g", axes=[2, 3]),
        node("ReduceMean", "g", "m", axes=[1]),
        node("Add", "m small", "below"),
        node("Div", "g below", "n"),
        node("Mul", "x n", "scaled"),
        node("Mul", "gamma scaled", "weighed"),
        node("Add", "weighed beta", "more"),
        node("Add", "x more"),
    ]
    constants = {
        "small": np.float32(1e-6),
        "gamma": normal(1, 6, 1, 1),
        "beta": normal(1, 6, 1, 1, seed=1),
    }
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


@pytest.mark.parametrize(("p", "axis"), [(1, 1), (2, 1), (2, 3), (2, -1)])
def test_cells_are_divided_by_their_norm(p, axis):
    assert_same(model_of([node("LpNormalization", "x", p=p, axis=axis)], [*SHAPE]), *SHAPE)


def test_cells_without_a_length_stay_zero():
    nodes = [node("Mul", "x none", "z"), node("LpNormalization", "z", axis=1)]
    found = imported(model_of(nodes, [*SHAPE], {"none": np.float32(0)}))
    assert not outputs_of(found, normal(*SHAPE)).any()


def test_an_embedding_is_made_as_long_as_one_as_pytorch_writes_it():
    nodes = [
        node("ReduceL2", "x", "norm", axes=[1], keepdims=1),
        node("Clip", "norm small", "length"),
        node("Expand", "length whole", "wide"),
        node("Div", "x wide"),
    ]
    constants = {"small": np.float32(1e-12), "whole": np.array([2, 7])}
    assert_same(model_of(nodes, [2, 7], constants), 2, 7)


@pytest.mark.parametrize("op_type", ["Max", "Min"])
@pytest.mark.parametrize("shape", [(2, 6, 4, 5), (2, 7), (2, 6, 5), (2, 3, 2, 4, 5)])
def test_the_largest_of_tensors_is_exact(op_type, shape):
    nodes = [node("Sigmoid", "x", "s"), node("Neg", "x", "n"), node(op_type, "x s n")]
    assert_same(model_of(nodes, [*shape]), *shape)


def test_max_feature_maps_are_the_larger_of_two_halves():
    """Wu et al. 2015, A light CNN for deep face representation, arXiv:1511.02683."""
    nodes = [node("Split", "x", "a b", axis=1), node("Max", "a b")]
    found = assert_same(model_of(nodes, [*SHAPE], opset=11), *SHAPE, close=1e-12)
    assert types_of(found) == ["slice", "slice", "concat", "maxpool"]


@pytest.mark.parametrize(
    ("op_type", "bound", "function"),
    [("Max", 0, "relu"), ("Max", 0.5, "clip(0.5,3.4028235e+38)"), ("Min", 1, None)],
)
def test_the_larger_of_a_tensor_and_a_number_is_a_bound(op_type, bound, function):
    found = assert_same(
        model_of([node(op_type, "x k")], [*SHAPE], {"k": np.float32(bound)}), *SHAPE
    )
    assert function is None or activations_of(found) == [function]


def test_a_mean_of_tensors_is_their_sum_divided():
    nodes = [node("Relu", "x", "r"), node("Tanh", "x", "t"), node("Mean", "x r t")]
    assert_same(model_of(nodes, [*SHAPE]), *SHAPE)


@pytest.mark.parametrize("op_type", ["ReduceMin", "ReduceSumSquare"])
@pytest.mark.parametrize("axes", [[1], [2, 3], [-1]])
def test_other_reductions_are_made_of_those_with_rows(op_type, axes):
    assert_same(model_of([node(op_type, "x", axes=axes)], [*SHAPE], opset=11), *SHAPE)


def test_softsign_is_a_quotient():
    assert_same(model_of([node("Softsign", "x")], [*SHAPE]), *SHAPE)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_the_statistics_of_a_layer_normalization_are_rows(axis):
    sides = SHAPE[axis:]
    nodes = [
        node("LayerNormalization", "x w b", "n mean share", axis=axis),
        node("Add", "n mean", "s"),
        node("Mul", "s share"),
    ]
    constants = {"w": normal(*sides, seed=1), "b": normal(*sides, seed=2)}
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


def test_what_nobody_reads_of_a_layer_normalization_is_no_row():
    nodes = [node("LayerNormalization", "x w", "y mean share", axis=-1)]
    found = assert_same(model_of(nodes, [2, 7], {"w": normal(7)}), 2, 7)
    assert types_of(found) == ["flatten", "layernorm"]


# ---- places


@pytest.mark.parametrize("places", [[2], [0, 2, 4], [5, 4, 3], [2, 1, 0, 0, -1], 3])
@pytest.mark.parametrize("axis", [1, -1])
def test_cells_are_gathered_from_any_places(places, axis):
    places = np.array(places) if axis == 1 else np.array(places) % 5
    nodes = [node("Gather", "x places", axis=axis)]
    assert_same(model_of(nodes, [*SHAPE], {"places": places}), *SHAPE, close=1e-12)


def test_colours_change_their_order():
    places = {"places": np.array([2, 1, 0])}
    nodes = [node("Gather", "x places", axis=1)]
    found = assert_same(model_of(nodes, [2, 3, 4, 5], places), 2, 3, 4, 5, close=1e-12)
    assert types_of(found) == ["conv"]


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_an_image_is_turned_round(axis):
    nodes = [node("Slice", "x begin end axis step")]
    constants = {
        "begin": np.array([-1]),
        "end": np.array([-100]),
        "axis": np.array([axis]),
        "step": np.array([-1]),
    }
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE, close=1e-12)


@pytest.mark.parametrize("repeats", [[1, 2, 1, 1], [1, 1, 2, 3]])
def test_a_tensor_is_repeated_whole(repeats):
    nodes = [node("Tile", "x repeats")]
    assert_same(model_of(nodes, [*SHAPE], {"repeats": np.array(repeats)}), *SHAPE, close=1e-12)
