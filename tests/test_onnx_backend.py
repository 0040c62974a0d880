"""ONNX's own backend suite, through the interface that it documents, and that interface itself."""

import json

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper

from benchmarks.onnx_scoreboard import BACKENDS, RESULTS, reason_class, written
from benchmarks.onnx_suite import run_suite, suite_cases
from cnndsl.errors import CnnError
from cnndsl.interop import onnx_backend

RECORDED = json.loads(RESULTS.read_text("utf-8"))
the_recorded_version = pytest.mark.skipif(
    onnx.__version__ != RECORDED["onnx"], reason="another version of onnx has other cases"
)


def supported_cases():
    return [case for case in suite_cases() if case.supported]


@pytest.mark.slow
@pytest.mark.cache
@pytest.mark.parametrize("target", BACKENDS)
def test_no_case_of_a_supported_operator_gives_a_wrong_result(target):
    outcomes = list(run_suite(BACKENDS[target], supported_cases()))
    assert len(outcomes) > 300
    assert not [(o.case.name, o.reason) for o in outcomes if o.result == "failed"]


@the_recorded_version
@pytest.mark.slow
def test_the_scoreboard_says_which_cases_pass_and_why_others_do_not():
    found = {
        outcome.case.name: {"result": outcome.result, "reason": outcome.reason}
        for outcome in run_suite(BACKENDS["reference"], supported_cases())
    }
    assert found == RECORDED["cases"]


def test_every_real_network_was_the_same_as_in_onnx_runtime():
    real = RECORDED["real networks"]
    assert len(real) == 9
    assert max(error for errors in real.values() for error in errors.values()) < 1e-4


def test_a_target_passes_what_the_other_passes():
    assert not any(RECORDED["not as on the reference"].values())


def test_alike_reasons_have_one_class():
    assert reason_class("Conv 'y': its input 'a' is constant") == "its input is constant"
    assert reason_class("no input holds images of float32") == reason_class(
        "the input 'x' holds float16, and rows compute float32"
    )


def test_a_table_goes_between_its_marks():
    page = "a\n<!-- begin t -->\nold\n<!-- end t -->\nb\n"
    assert written(page, "t", "new") == "a\n<!-- begin t -->\n\nnew\n\n<!-- end t -->\nb\n"


# ---- the interface


def relu(shape, kind=TensorProto.FLOAT):
    values = [helper.make_tensor_value_info(name, kind, shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", *([v] for v in values))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_prepared_model_runs_any_batch():
    model = onnx_backend.prepare(relu(["n", 3, 4, 5]))
    for batch in (1, 3):
        x = np.random.default_rng(batch).standard_normal((batch, 3, 4, 5)).astype(np.float32)
        (y,) = model.run([x])
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        np.testing.assert_array_equal(model.run({"x": x})[0], y)


def test_a_node_runs_by_itself():
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 5)).astype(np.float32)
    w = np.ones((4, 3, 1, 1), np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    (y,) = onnx_backend.run_node(node, [x, w])
    np.testing.assert_allclose(y, np.repeat(x.sum(1, keepdims=True), 4, 1), rtol=1e-5, atol=1e-6)


def test_a_node_without_a_batch_runs_as_one_image():
    rng = np.random.default_rng(0)
    a, b, c = (rng.standard_normal(s).astype(np.float32) for s in ((4, 3), (4, 5), (1, 5)))
    node = helper.make_node("Gemm", ["a", "b", "c"], ["y"], transA=1)
    (y,) = onnx_backend.run_node(node, [a, b, c])
    np.testing.assert_allclose(y, a.T @ b + c, rtol=1e-5, atol=1e-6)


def test_another_device_is_refused():
    assert onnx_backend.supports_device("CPU:0")
    assert not onnx_backend.supports_device("CUDA")
    with pytest.raises(CnnError, match="no device 'CUDA'"):
        onnx_backend.prepare(relu([1, 3]), "CUDA")


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_numbers_that_rows_would_round_are_refused(dtype):
    with pytest.raises(CnnError, match="float32"):
        onnx_backend.prepare(relu(["n", 3])).run([np.ones((2, 3), dtype)])


def test_an_output_of_other_numbers_is_refused():
    model = relu(["n", 3])
    model.graph.node[0].op_type = "Cast"
    model.graph.node[0].attribute.append(helper.make_attribute("to", TensorProto.DOUBLE))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(CnnError, match="float64, and rows compute float32"):
        onnx_backend.prepare(model).run([np.ones((2, 3), np.float32)])
