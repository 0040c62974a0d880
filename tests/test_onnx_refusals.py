"""ONNX models that no table can say: one error for all that has no row, with what to do."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper
from onnx_models import imported, model_of, node, normal, types_of

from cnndsl.errors import CnnError
from cnndsl.interop.onnx.importing import import_model
from cnndsl.interop.onnx.reading import model_facts

pytestmark = pytest.mark.peers


def test_all_that_has_no_row_is_listed_at_once():
    nodes = [
        node("Conv", "x w", "a"),
        helper.make_node("Einsum", ["a"], ["b"], name="first", equation="abcd->abcd"),
        node("Relu", "b", "c"),
        helper.make_node("NonZero", ["c"], ["d"], name="second"),
        helper.make_node("Transpose", ["a"], ["y"], name="third", perm=[1, 0, 2, 3]),
    ]
    with pytest.raises(CnnError) as caught:
        imported(model_of(nodes, [1, 3, 4, 5], {"w": normal(3, 3, 1, 1)}, outputs=("d", "y")))
    messages = [d.message for d in caught.value.diagnostics]
    assert [m.split(":")[0] for m in messages] == [
        "Einsum 'first'",
        "NonZero 'second'",
        "Transpose 'third'",
    ]
    fixes = [[fix.message for fix in d.fixes] for d in caught.value.diagnostics]
    assert ["output_names=['a']" in "".join(fix) for fix in fixes] == [True, False, True]


def test_a_quantized_model_is_asked_for_as_it_was_before():
    with pytest.raises(CnnError) as caught:
        imported(model_of([node("QuantizeLinear", "x s")], [1, 3], {"s": np.float32(0.1)}))
    assert "before it was quantized" in caught.value.diagnostics[0].fixes[0].message


def test_an_open_height_is_refused():
    with pytest.raises(CnnError, match="only the batch may be open"):
        imported(model_of([node("Relu", "x")], ["n", 3, "h", "w"]))


def test_an_opset_that_is_not_known_is_refused():
    with pytest.raises(CnnError, match="opset 1000, and the installed onnx"):
        imported(model_of([node("Relu", "x")], [1, 3, 4, 5], opset=1000))


def test_an_opset_before_seven_is_converted():
    nodes = [node("BatchNormalization", "x s b m v", is_test=1, consumed_inputs=[0] * 5)]
    constants = {name: normal(3, seed=i) ** 2 for i, name in enumerate("sbmv")}
    found = imported(model_of(nodes, [1, 3, 4, 5], constants, opset=5))
    assert types_of(found) == ["batchnorm"]


def test_a_huge_constant_is_refused_before_it_is_made():
    nodes = [node("ConstantOfShape", "s", "c"), node("Add", "x c", "y")]
    with pytest.raises(CnnError, match="too large"):
        imported(model_of(nodes, [1, 3, 4, 5], {"s": np.array([1 << 40])}))


def external(tmp_path, location):
    tensor = numpy_helper.from_array(normal(4, 3, 1, 1), "w")
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "4"), ("length", str(len(data)))):
        tensor.external_data.add(key=key, value=value)
    model = model_of([node("Conv", "x w")], [1, 3, 4, 5])
    model.graph.initializer.append(tensor)
    (tmp_path / "inside").mkdir()
    for folder in (tmp_path, tmp_path / "inside"):
        (folder / "w.bin").write_bytes(b"skip" + data)
    return model, tmp_path / "inside"


def test_weights_in_a_file_beside_the_model_are_read(tmp_path):
    model, folder = external(tmp_path, "w.bin")
    found = import_model(model_facts(model, folder, "test"))
    np.testing.assert_array_equal(next(iter(found.weights.values())), normal(4, 3, 1, 1))


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w.bin"])
def test_weights_outside_the_models_folder_are_refused(tmp_path, location):
    model, folder = external(tmp_path, location)
    with pytest.raises(CnnError, match="outside the model's folder"):
        model_facts(model, folder, "test")
