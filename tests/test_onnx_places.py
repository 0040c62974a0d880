"""Cells that exporters take by way of other axes, and those that go around an image."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_models import assert_same, imported, model_of, node, normal, types_of

from cnndsl.errors import CnnError

pytestmark = pytest.mark.peers


def ints(*values):
    return np.array(values, np.int64)


def strided(places):
    """What PyTorch's exporter writes for as_strided, behind a mean for one."""
    nodes = [
        node("GlobalAveragePool", "x", "a"),
        node("Reshape", "a all", "b"),
        node("Gather", "b places", "c", axis=0),
        node("Conv", "c w"),
    ]
    constants = {"all": ints(8), "places": places, "w": normal(3, places.shape[1], 1, 1)}
    return model_of(nodes, [1, 8, 5, 5], constants)


def test_places_of_a_tensor_of_one_axis_are_those_of_the_image():
    places = np.arange(8)
    found = assert_same(strided(places.reshape(1, 8, 1, 1)), 1, 8, 5, 5)
    assert types_of(found) == ["globalavgpool", "conv"]
    shuffled = places.reshape(2, 4).T.reshape(1, 8, 1, 1)
    assert types_of(assert_same(strided(shuffled), 1, 8, 5, 5))[1] == "shuffle"


def test_places_that_leave_cells_out_are_refused():
    with pytest.raises(CnnError, match="order that no row makes"):
        imported(strided(np.arange(4).reshape(1, 4, 1, 1)))


def test_places_of_a_whole_batch_are_refused():
    nodes = [node("Reshape", "x all", "a"), node("Gather", "a places", axis=0)]
    constants = {"all": ints(-1), "places": np.arange(16).reshape(2, 8, 1, 1)}
    with pytest.raises(CnnError, match="it moves cells between images"):
        imported(model_of(nodes, [2, 8, 1, 1], constants))


def test_an_index_for_which_the_batch_is_moved_and_back_takes_places_of_an_axis():
    nodes = [
        node("Transpose", "x", "a", perm=[2, 0, 1]),
        node("GatherND", "a places", "b"),
        node("Transpose", "b", perm=[1, 2, 0]),
    ]
    constants = {"places": ints(0, 0, 3, 1, 4, 4).reshape(6, 1)}
    assert_same(model_of(nodes, [3, 4, 5], constants), 3, 4, 5)


def test_an_index_of_rows_and_columns_takes_places_of_both():
    rows, columns = np.meshgrid([0, 2, 1, 1], [4, 0, 3], indexing="ij")
    nodes = [
        node("Transpose", "x", "a", perm=[2, 3, 0, 1]),
        node("GatherND", "a places", "b"),
        node("Transpose", "b", perm=[2, 3, 0, 1]),
    ]
    constants = {"places": np.stack([rows, columns], -1)}
    assert_same(model_of(nodes, [2, 4, 3, 5], constants), 2, 4, 3, 5)
    constants["places"][0, 0, 0] = 1  # no grid any more
    with pytest.raises(CnnError, match="moves the batch"):
        imported(model_of(nodes, [2, 4, 3, 5], constants))


@pytest.mark.parametrize("pads", [(1, 2, 3, 0), (0, 2, 0, 2), (4, 5, 4, 5)])
def test_a_padding_that_goes_around_is_a_concat_of_ends(pads):
    top, left, bottom, right = pads
    constants = {"pads": ints(0, 0, top, left, 0, 0, bottom, right)}
    model = model_of([node("Pad", "x pads", mode="wrap")], [2, 3, 4, 5], constants, opset=19)
    assert set(types_of(assert_same(model, 2, 3, 4, 5))) <= {"slice", "concat"}


def test_a_padding_that_goes_around_twice_is_refused():
    constants = {"pads": ints(0, 0, 5, 0, 0, 0, 0, 0)}
    model = model_of([node("Pad", "x pads", mode="wrap")], [2, 3, 4, 5], constants, opset=19)
    with pytest.raises(CnnError, match="more than once"):
        imported(model)


@pytest.mark.parametrize(
    ("scopes", "name"),
    [
        ("['', 'stages', 'stages.0', 'stages.0.conv_dw', 'conv2d_1']", "stages_0_conv_dw"),
        ("['', 'conv2d_1']", "conv1"),
        ("[[1, 2], 3, 4, 5]", "conv1"),
        ("no list", "conv1"),
        ("", "conv1"),
    ],
)
def test_a_row_is_called_like_the_module_where_the_exporter_only_counts(scopes, name):
    conv = node("Conv", "x w")
    conv.name = "node_conv2d_1"
    conv.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    model = model_of([conv], [1, 3, 4, 5], {"w": normal(2, 3, 1, 1)})
    assert imported(model).graph.nodes[-1].name == name
    conv.metadata_props.add(key="pkg.onnxscript.rewriter.rule_name", value="FuseBatchNorm")
    model = model_of([conv], [1, 3, 4, 5], {"w": normal(2, 3, 1, 1)})
    assert imported(model).graph.nodes[-1].name == "conv1"
