"""Files that are damaged, or made to harm: one planned error, and nothing written."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.errors import CnnError, FileError, WeightsError
from cnndsl.interop.foreign.pairs import read_pairs
from cnndsl.interop.foreign.reading import read_foreign
from cnndsl.interop.safetensors_file import save_safetensors

CFG = """\
[net]
width=8
height=8
channels=3
[convolutional]
filters=4
size=3
stride=1
batch_normalize=1
activation=leaky
"""


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("_", "."), content)
    return path


def test_what_is_no_array_in_an_npz_is_left_out(tmp_path):
    kept = io.BytesIO()
    np.save(kept, np.ones((2, 3), np.float32))
    found = read_foreign(archive(tmp_path / "a.npz", note=b"text", a_weight_npy=kept.getvalue()))
    assert [layer.name for layer in found.layers] == ["a"]
    assert found.unused == ("note",)


@pytest.mark.parametrize("name", ["bomb.npz", "bomb.keras"])
def test_an_archive_of_nothing_is_not_unpacked(tmp_path, name):
    if name.endswith(".keras"):
        pytest.importorskip("h5py")
    path = archive(tmp_path / name, w_npy=bytes(2**27))
    with pytest.raises(WeightsError, match="unpacks to 134,217,728 bytes, mostly of nothing"):
        read_foreign(path)


@pytest.mark.parametrize("config", ["[" * 100_000, "[]", '{"config": null}'])
def test_a_description_of_any_kind_is_no_traceback(tmp_path, config):
    h5py = pytest.importorskip("h5py")
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["layers/dense/vars/0"] = np.ones((2, 3), np.float32)
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", config)
        file.writestr("model.weights.h5", content.getvalue())
    with pytest.raises(WeightsError, match=r"it is no file of Keras's, or it is damaged"):
        read_foreign(path)


def test_links_in_circles_and_attributes_of_other_types_are_damage(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["a"] = h5py.SoftLink("/a")
    with h5py.File(tmp_path / "names.h5", "w") as file:
        file.create_group("model_weights").attrs["layer_names"] = 3
    for name in ("link.h5", "names.h5"):
        with pytest.raises(WeightsError, match=r"it is no file of Keras's, or it is damaged"):
            read_foreign(tmp_path / name)


def test_a_missing_file_is_said_before_the_package_that_it_would_need(tmp_path):
    with pytest.raises(FileError, match=r"missing\.h5: there is no such file"):
        read_foreign(tmp_path / "missing.h5")


def test_a_shape_that_no_array_has_is_refused_even_where_it_is_empty(tmp_path):
    entry = {"dtype": "F32", "shape": [2**40, 2**40, 0], "data_offsets": [0, 0]}
    header = json.dumps({"a": entry}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(WeightsError, match="'a' has a shape that no array has"):
        read_foreign(path)


def test_paths_that_no_file_can_have_are_planned_errors(tmp_path):
    with pytest.raises(FileError, match="null"):
        read_pairs(tmp_path / "a\0b")
    for name in ("", "a\0b"):
        with pytest.raises(FileError, match="is no path of a file"):
            save_safetensors(Path(name), {}, {})


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="it is no plain file"):
        save_safetensors(tmp_path / "pipe", {}, {})
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("option", ["filters=0", "size=-1", "stride=0", "groups=0", "dilation=0"])
def test_darknet_s_options_that_count_begin_at_one(tmp_path, option):
    path = tmp_path / "a.cfg"
    name = option.partition("=")[0]
    lines = [line for line in CFG.splitlines() if not line.startswith(f"{name}=")]
    path.write_text("\n".join([*lines, option]))
    with pytest.raises(CnnError) as caught:
        cnndsl.from_darknet(path)
    (finding,) = caught.value.diagnostics
    assert finding.message == f"[convolutional]: {option} is not a whole number from 1 on"
    assert finding.span is not None


def test_a_cfg_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.cfg").write_text(CFG, encoding="utf-8-sig")
    assert cnndsl.from_darknet(tmp_path / "a.cfg").network["conv1"].shape[-1] == 4


def test_variances_below_zero_tell_of_another_network_s_cfg(tmp_path):
    (tmp_path / "a.cfg").write_text(CFG)
    numbers = np.full(4 * 4 + 4 * 27, -1.0, "<f4")
    (tmp_path / "a.weights").write_bytes(
        np.array([0, 2, 0, 0, 0], "<i4").tobytes() + numbers.tobytes()
    )
    with pytest.raises(WeightsError, match=r"the variances of conv1 would be below 0"):
        cnndsl.from_darknet(tmp_path / "a.cfg", tmp_path / "a.weights")


@pytest.mark.parametrize("output", ["folder.cnn", "a.safetensors", "taken.cnn"])
def test_where_a_table_and_its_weights_cannot_both_be_written_neither_is(cli, tmp_path, output):
    (tmp_path / "a.cfg").write_text(CFG)
    numbers = np.ones(4 * 4 + 4 * 27, "<f4")
    (tmp_path / "a.weights").write_bytes(
        np.array([0, 2, 0, 0, 0], "<i4").tobytes() + numbers.tobytes()
    )
    (tmp_path / "folder.cnn").mkdir()
    (tmp_path / "taken.safetensors").mkdir()
    before = sorted(tmp_path.iterdir())
    said = cli("import", "darknet", "a.cfg", "--weights", "a.weights", "-o", output)
    assert said.status == 1
    assert said.err.count("error[E801]") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.fixture
def onnx():
    return pytest.importorskip("onnx")


def written(onnx, path, nodes, *constants):
    """A file of a model with the input x and the output y."""
    helper = onnx.helper
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def refusal(path):
    with pytest.raises(CnnError) as caught:
        cnndsl.from_onnx(path)
    return [finding.message for finding in caught.value.diagnostics]


@pytest.mark.peers
@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"),
    [
        ("Conv", ["x", "w"], {"group": 0}),
        ("Conv", ["x", "w"], {"strides": 2}),
        ("Conv", ["x", "w"], {"pads": [1]}),
        ("Conv", ["x", "short"], {}),
        ("Relu", [], {}),
        ("Transpose", ["x"], {"perm": [0, 0, 0, 0]}),
    ],
)
def test_a_node_that_is_not_as_onnx_defines_it_is_named(
    onnx, tmp_path, op_type, inputs, attributes
):
    w = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    short = onnx.numpy_helper.from_array(np.ones(3, np.float32), "short")
    node = onnx.helper.make_node(op_type, inputs, ["y"], **attributes)
    (message,) = refusal(written(onnx, tmp_path / "a.onnx", [node], w, short))
    assert message.startswith(f"{op_type} 'y': it is not as ONNX defines it: ")


@pytest.mark.peers
def test_constants_that_are_too_large_together_are_refused(onnx, tmp_path):
    shape = onnx.numpy_helper.from_array(np.array([2**60]), "shape")
    node = onnx.helper.make_node("ConstantOfShape", ["shape"], ["y"])
    (message,) = refusal(written(onnx, tmp_path / "a.onnx", [node], shape))
    assert message.startswith("ConstantOfShape 'y': it makes a constant that is too large")


@pytest.mark.peers
def test_a_resized_image_beyond_the_limit_is_refused_before_its_cells_are_counted(onnx, tmp_path):
    scales = onnx.numpy_helper.from_array(np.array([1, 1, 1e9, 1e9], np.float32), "scales")
    node = onnx.helper.make_node("Resize", ["x", "", "scales"], ["y"])
    (message,) = refusal(written(onnx, tmp_path / "a.onnx", [node], scales))
    assert "8000000000x8000000000 is larger than the limit" in message


@pytest.mark.peers
@pytest.mark.parametrize(
    ("location", "length", "reason"),
    [
        ("a\0b", "4", "null"),
        ("loop", "4", "there is no such file"),
        ("folder", "4", "there is no such file"),
        ("few", str(2**62), "it has no 4611686018427387904 bytes at 0"),
        ("few", "-7", "it has no -7 bytes at 0"),
    ],
)
def test_weights_beside_a_model_are_read_of_plain_files_only(
    onnx, tmp_path, location, length, reason
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "few").write_bytes(b"1234")
    (tmp_path / "loop").symlink_to("loop")
    w = onnx.TensorProto(name="w", data_type=1, dims=[4, 3, 3, 3])
    w.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("length", length)):
        entry = w.external_data.add()
        entry.key, entry.value = key, value
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"])
    (message,) = refusal(written(onnx, tmp_path / "a.onnx", [node], w))
    assert f"cannot read {location!r} beside the model" in message
    assert reason in message
