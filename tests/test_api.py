"""What a caller of the Python API meets."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.errors import ArtifactError, CnnError, InputError, TargetError, WeightsError

pytestmark = pytest.mark.cache

TEXT = """cnn 1
network Small

layer  type     maps  size   kernel  stride  padding  activation
In     input    3     12x10
C1     conv     8     12x10  3x3     1       same     relu
S2     maxpool  8     6x5    2x2     2       valid    -
F3     dense    5     -      -       -       -        softmax
"""


@pytest.fixture(scope="module")
def model():
    return cnndsl.compile(cnndsl.parse(text=TEXT), seed=1, threads=1)


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((4, 12, 10, 3), np.float32)


def test_a_network_says_what_it_is():
    net = cnndsl.parse(text=TEXT)
    assert net.name == "Small"
    assert [facts.shape for facts in net] == [(12, 10, 3), (12, 10, 8), (6, 5, 8), (5,)]
    assert net.params == 8 * 3 * 9 + 8 + 5 * 240 + 5
    assert net.macs == 12 * 10 * 8 * 27 + 5 * 240
    graph = net.graph
    assert list(graph.successors("C1")) == ["C1.relu"]
    data = graph.nodes["C1"]
    assert (data["row"], data["type"].shape, data["span"].text[:2]) == ("C1", (12, 10, 8), "C1")
    with pytest.raises(cnndsl.CnnError, match="no row 'C9'; its rows are In, C1, S2, F3"):
        net["C9"]


def test_any_batch_size_gives_each_image_s_own_result(model, x):
    together = model(x)
    assert together.shape == (4, 5)
    np.testing.assert_array_equal(model(x[:1]), together[:1])
    np.testing.assert_array_equal(model(x[2]), together[2])
    assert model(x[:0]).shape == (0, 5)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=3)[..., ::2],
        lambda x: x[:, ::-1][:, ::-1],
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        lambda x: x.tolist(),
    ],
)
def test_arrays_of_any_memory_order_and_float_are_read(model, x, convert):
    np.testing.assert_array_equal(model(convert(x)), model(x))


def test_a_read_only_array_is_read_and_none_is_written(model, x):
    before = x.copy()
    expected = model(x)
    x.flags.writeable = False
    np.testing.assert_array_equal(model(x), expected)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((4, 3, 12, 10), "x.transpose(0, 2, 3, 1)"),
        ((3, 12, 10), "x.transpose(1, 2, 0)"),
        ((4, 12, 10), "one image is [12, 10, 3], a batch [n, 12, 10, 3]"),
        ((4, 10, 12, 3), "another size stands in the input row"),
        ((), "one image is [12, 10, 3]"),
    ],
)
def test_a_wrong_shape_is_one_clear_error(model, shape, fix):
    with pytest.raises(InputError, match=r"reads \[n, 12, 10, 3\] \(nhwc\)") as caught:
        model(np.zeros(shape, np.float32))
    assert caught.value.code == "E601"
    fixes = [f.message for d in caught.value.diagnostics for f in d.fixes]
    assert fix in fixes[0]


@pytest.mark.parametrize("bad", [np.zeros((1, 12, 10, 3), np.complex64), "picture", [[1, 2], [3]]])
def test_what_holds_no_numbers_is_refused(model, bad):
    with pytest.raises(InputError):
        model(bad)


def test_unscaled_pixels_are_refused_where_the_table_says_how_to_scale_them():
    text = TEXT.replace("In     input    3     12x10", "In     input    3     12x10  range=0..1")
    scaled = cnndsl.compile(cnndsl.parse(text=text), seed=1)
    with pytest.raises(InputError, match="holds uint8") as caught:
        scaled(np.zeros((1, 12, 10, 3), np.uint8))
    assert caught.value.code == "E602"


def test_several_threads_may_call_one_model(x):
    shared = cnndsl.compile(cnndsl.parse(text=TEXT), seed=1, threads=2)
    expected = [shared(x[: 1 + i % 4]) for i in range(8)]
    results: dict[int, np.ndarray] = {}

    def call(i: int) -> None:
        for _ in range(50):
            results[i] = shared(x[: 1 + i % 4])

    threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, y in enumerate(expected):
        np.testing.assert_array_equal(results[i], y)


def test_a_saved_model_is_the_same_model(model, x, tmp_path):
    model.save(tmp_path / "m.cnnm")
    for _ in range(2):  # planned, then found planned
        loaded = cnndsl.load(tmp_path / "m.cnnm", threads=2)
        np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.network["C1"].shape == (12, 10, 8)
    assert loaded.input == model.input
    assert loaded.weights.keys() == model.weights.keys()
    loaded.save(tmp_path / "again.cnnm")
    again = cnndsl.load(tmp_path / "again.cnnm", target="reference")
    np.testing.assert_allclose(again(x), model(x), atol=1e-6)


def test_a_model_with_other_weights_than_its_table_s_is_refused(model, tmp_path):
    from cnndsl.interop.artifact import write_artifact

    weights = {**model.weights, "C1.bias": np.zeros(9, np.float32)}
    write_artifact(tmp_path / "m.cnnm", TEXT, weights, None)
    with pytest.raises(WeightsError, match=r"C1.bias: its shape is \[9\]"):
        cnndsl.load(tmp_path / "m.cnnm")


def test_a_second_process_runs_a_model_without_compiling_or_parsing(model, x, tmp_path):
    model.save(tmp_path / "m.cnnm")
    np.save(tmp_path / "x.npy", x)
    cnndsl.load(tmp_path / "m.cnnm")
    code = (
        "import sys, numpy, cnndsl\n"
        "y = cnndsl.load('m.cnnm')(numpy.load('x.npy'))\n"
        "numpy.save('y.npy', y)\n"
        "print([name for name in ('numba', 'lark', 'networkx') if name in sys.modules])\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == ("[]\n", "")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), model(x))


def test_weights_come_from_a_mapping_or_a_seed_but_not_from_nowhere(model, x):
    net = cnndsl.parse(text=TEXT)
    again = cnndsl.compile(net, weights=dict(model.weights))
    np.testing.assert_array_equal(again(x), model(x))
    with pytest.raises(WeightsError, match="Small needs weights: 4 tensors, 1,429 numbers"):
        cnndsl.compile(net)
    with pytest.raises(cnndsl.CnnError, match="exclude each other"):
        cnndsl.compile(net, weights={}, seed=0)


def test_a_nchw_table_takes_and_gives_nchw(model, x):
    images = TEXT.replace("In     input    3     12x10", "In     input    3     12x10  layout=nchw")
    images = "\n".join(images.splitlines()[:-1]) + "\n"
    turned = cnndsl.compile(
        cnndsl.parse(text=images),
        weights={name: w for name, w in model.weights.items() if name.startswith("C1")},
    )
    straight = cnndsl.compile(
        cnndsl.parse(text=images.replace("layout=nchw", "layout=nhwc")),
        weights=dict(turned.weights),
    )
    y = turned(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    assert y.shape == (4, 8, 6, 5)
    np.testing.assert_array_equal(y, straight(x).transpose(0, 3, 1, 2))


def test_an_unknown_target_is_named_with_a_near_one():
    with pytest.raises(TargetError, match="there is no target 'cpus'") as caught:
        cnndsl.compile(cnndsl.parse(text=TEXT), seed=0, target="cpus")
    assert caught.value.diagnostics[0].fixes[0].message == "target 'cpu'"


def test_labels_must_lie_beside_the_table_and_be_as_many_as_classes(tmp_path):
    spec = tmp_path / "table" / "small.cnn"
    spec.parent.mkdir()
    (tmp_path / "outside.txt").write_text("a\n" * 5)
    (spec.parent / "five.txt").write_text("a\nb\nc\nd\ne\n")
    (spec.parent / "two.txt").write_text("a\nb\n")

    def compiled(labels: str):
        row = f"In     input    3     12x10  labels={labels}"
        spec.write_text(TEXT.replace("In     input    3     12x10", row))
        return cnndsl.compile(spec, seed=0)

    assert compiled("five.txt").labels == ("a", "b", "c", "d", "e")
    with pytest.raises(cnndsl.CnnError, match=r"two\.txt has 2 names, and the network 5 outputs"):
        compiled("two.txt")
    with pytest.raises(cnndsl.CnnError, match="outside the table's folder"):
        compiled("../outside.txt")
    (spec.parent / "loop").symlink_to("loop")
    with pytest.raises(cnndsl.CnnError, match="loop"):
        compiled("loop")
    with pytest.raises(cnndsl.CnnError, match="row In, column labels: cannot read") as caught:
        compiled("none.txt")
    assert caught.value.span is not None
    assert caught.value.span.line == 5


def test_a_foreign_file_is_not_loaded(tmp_path):
    (tmp_path / "m.cnnm").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ArtifactError):
        cnndsl.load(tmp_path / "m.cnnm")


@pytest.mark.parametrize(
    ("mistake", "message", "fix"),
    [
        (lambda: cnndsl.parse("lennet5"), "there is no file 'lennet5'", "did you mean lenet5?"),
        (
            lambda: cnndsl.compile("cnn 1\nlayer type\n", seed=0),
            "there is no file 'cnn 1",
            "cnndsl.parse(text=...) reads a text",
        ),
        (
            lambda: cnndsl.compile("lenet5", seed=-1),
            "seed is a whole number of at least 0, not -1",
            None,
        ),
        (
            lambda: cnndsl.compile("lenet5", seed=0, threads="2"),
            "threads is a whole number of at least 1, not '2'",
            None,
        ),
    ],
)
def test_a_mistaken_call_is_told_what_was_meant(mistake, message, fix):
    with pytest.raises(cnndsl.CnnError) as caught:
        mistake()
    (found,) = caught.value.diagnostics
    assert message in found.message
    assert [mend.message for mend in found.fixes] == ([fix] if fix else [])


def test_a_model_s_weights_are_a_mapping_whose_unknown_names_are_answered_with_near_ones():
    weights = cnndsl.compile("lenet5", seed=0).weights
    assert weights.get("C1.wieght") is None
    assert "C1" not in weights
    for name, near in [("C1.wieght", "C1.weight?"), ("c1.bias", "C1.bias?"), ("F6", "F6.bias?")]:
        with pytest.raises(KeyError) as caught:
            weights[name]
        assert isinstance(caught.value, CnnError)
        said = str(caught.value)
        assert said.startswith(f"error[E405]: the model has no weight {name!r}\n")
        assert f"did you mean {near}" in said
    with pytest.raises(KeyError, match=r"one of its 9, such as C1\.weight"):
        weights["zzz"]
    assert repr(weights).startswith("<9 weights: C1.weight [6, 1, 5, 5], C1.bias [6], ")
    assert repr(weights).endswith(", ...>")


def test_weights_of_a_model_cannot_be_set():
    model = cnndsl.compile("lenet5", seed=0)
    with pytest.raises(TypeError):
        model.weights["C1.weight"] = np.zeros((6, 1, 5, 5), np.float32)
    with pytest.raises(ValueError, match="read-only"):
        model.weights["C1.weight"][0] = 0


def test_a_file_that_is_not_there_is_looked_for_beside_it(tmp_path):
    for name in ("mine.cnn", "mine.cnnm", "mine.safetensors"):
        (tmp_path / name).touch()
    missing = [
        lambda: cnndsl.parse(tmp_path / "mime.cnn"),
        lambda: cnndsl.load(tmp_path / "mime.cnnm"),
        lambda: cnndsl.compile("lenet5", tmp_path / "mime.safetensors"),
        lambda: cnndsl.convert_weights(tmp_path / "mime.safetensors", cnndsl.parse("lenet5")),
    ]
    for call, name in zip(
        missing, ["mine.cnn", "mine.cnnm", *["mine.safetensors"] * 2], strict=True
    ):
        with pytest.raises(cnndsl.CnnError, match=r"no such file|no file") as caught:
            call()
        assert f"did you mean {tmp_path / name}?" in str(caught.value)


IMPORTED = cnndsl.ImportedNetwork(cnndsl.parse("lenet5"), {})


@pytest.mark.parametrize(
    ("call", "reason", "fix"),
    [
        (lambda: cnndsl.parse(3), "not a value of type int", "parse(text=...)"),
        (lambda: cnndsl.parse(), "neither is given", "parse("),
        (lambda: cnndsl.parse("lenet5", text=""), "both are given", "parse("),
        (lambda: cnndsl.parse(text=b"cnn 1"), "not a value of type bytes", "decode()"),
        (lambda: cnndsl.compile({"a": 1}), "not a value of type dict", "parse(text=...)"),
        (lambda: cnndsl.compile(None), "not a value of type NoneType", "parse(text=...)"),
        (lambda: cnndsl.compile("lenet5", "lenet"), "no file 'lenet'", "did you mean lenet5?"),
        (lambda: cnndsl.compile("lenet5", seed=0, target=None), "no target None", "target 'cpu'"),
        (lambda: cnndsl.load(None), "not a value of type NoneType", 'load("model.cnnm")'),
        (lambda: cnndsl.load(b"model.cnnm"), "not a value of type bytes", 'load("model.cnnm")'),
        (lambda: cnndsl.parse("lenet5")[0], "has no row 0", "such as Out"),
        (lambda: cnndsl.compile("lenet5", weights=[1]), "not a value of type list", "C1.weight"),
        (lambda: cnndsl.compile("lenet5", seed=0, target="gpu"), "no target 'gpu'", "'cuda'"),
        (lambda: cnndsl.compile("lenet5", seed=0, numerics="exact"), "no numerics", "'fast'"),
        (lambda: cnndsl.parse("lenet5")["C11"], "has no row 'C11'", "did you mean C1?"),
        (lambda: cnndsl.parse("lenet5")["c3"], "has no row 'c3'", "did you mean C3?"),
        (lambda: cnndsl.parse("lenet5")["X"], "has no row 'X'", "such as Out"),
        (lambda: cnndsl.parse("lenet5")[1:2], "has no row slice", "such as Out"),
        (lambda: cnndsl.parse("lenet5")[["C1"]], "has no row", "such as Out"),
        (lambda: cnndsl.compile(IMPORTED), "of type ImportedNetwork", "net.network, net.weights"),
        (lambda: cnndsl.from_onnx(None), "not a value of type NoneType", 'from_onnx("model.onnx")'),
        (lambda: cnndsl.from_onnx(b""), "not a value of type bytes", 'from_onnx("model.onnx")'),
        (lambda: cnndsl.to_onnx(IMPORTED, None), "of type NoneType", "to_onnx(model, "),
        (lambda: cnndsl.to_onnx(IMPORTED.network, "a"), "type Network has none", "compile(net"),
        (lambda: cnndsl.from_darknet(3), "not a value of type int", 'from_darknet("yolo.cfg")'),
        (lambda: cnndsl.convert_weights(None, IMPORTED.network), "NoneType", "convert_weights("),
    ],
)
def test_a_wrong_argument_names_what_would_be_right(call, reason, fix):
    with pytest.raises(cnndsl.CnnError, match=reason) as caught:
        call()
    assert fix in caught.value.diagnostics[0].fixes[0].message


@pytest.mark.parametrize(
    ("x", "reason", "fix"),
    [
        (None, "is None", "an array"),
        (Path("photo.png"), "is a text", "picture's file"),
        ({"In": 0}, "is a mapping", "model(**x)"),
        (iter([0]), "is an iterator", "np.stack(list(x))"),
        (np.zeros((12, 10, 3), np.complex64), "holds complex64", "x.real"),
        (np.zeros((12, 10, 3), object), "holds object", "x.astype"),
        ([[1, 2], [3]], "is ragged", "preprocess"),
        (np.full((12, 10, 3), 1e300), "too large for float32", "scaled"),
        (np.zeros((2, 360), np.float32), "shape", "x.reshape(-1, 12, 10, 3)"),
        (np.zeros((1, 2, 12, 10, 3), np.float32), "shape", "x.reshape(-1, 12, 10, 3)"),
    ],
)
def test_what_is_no_batch_is_told_how_it_becomes_one(model, x, reason, fix):
    with pytest.raises(InputError, match=reason) as caught:
        model(x)
    assert fix in caught.value.diagnostics[0].fixes[0].message


def test_a_network_knows_the_names_of_its_rows():
    net = cnndsl.parse("resnet18")
    assert "fc" in net
    assert "C9" not in net


def test_a_pointer_of_git_lfs_is_called_that(tmp_path):
    pointer = tmp_path / "net.cnnm"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(ArtifactError, match="git lfs pull"):
        cnndsl.load(pointer)


def test_a_misspelt_name_of_the_package_is_one_that_python_can_mend():
    assert set(cnndsl.__all__) <= set(dir(cnndsl))


def test_a_file_of_another_kind_says_what_reads_it(tmp_path):
    model = cnndsl.compile("lenet5", weights="lenet5", threads=1)
    model.save(tmp_path / "net.cnnm")
    with pytest.raises(cnndsl.CnnError, match="is no table") as caught:
        cnndsl.parse(tmp_path / "net.cnnm")
    assert caught.value.diagnostics[0].fixes[0].message == "cnndsl.load reads compiled models"
    # A file can be known by its name alone, as where all of its bytes could stand in a text.
    model = tmp_path / "net.onnx"
    model.write_bytes(b"\x08\x03\x12\x07pytorch")
    with pytest.raises(cnndsl.CnnError, match="is no table") as caught:
        cnndsl.parse(model)
    assert "cnndsl import onnx" in str(caught.value)
    table = tmp_path / "net.cnn"
    table.write_text("cnn 1\n", encoding="utf-8")
    with pytest.raises(cnndsl.CnnError, match="is a table, and not a compiled model") as caught:
        cnndsl.load(table)
    assert "cnndsl.compile(" in caught.value.diagnostics[0].fixes[0].message
