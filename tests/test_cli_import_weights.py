"""`cnndsl import weights`: what it writes, what it says, and what it refuses."""

import json

import numpy as np
import pytest
from foreign_files import random_weights, tensors_of, torch_layers
from safetensors.numpy import load_file, save_file

import cnndsl
from cnndsl.api import parse

TABLE = """\
cnn 1
layer  type   maps  size  kernel  norm         activation
In     input  3     8x8
C1     conv   4     6x6   3x3     batch(1e-5)  relu
F2     dense  5     -     -       -            -           flatten=chw
"""


@pytest.fixture
def weights(tmp_path):
    """A table, and its weights in three files with PyTorch's names."""
    (tmp_path / "net.cnn").write_text(TABLE)
    network = parse(tmp_path / "net.cnn")
    weights = random_weights(network)
    theirs = {"C1": "stem.0", "C1.norm": "stem.1", "F2": "head"}
    layers = {theirs[name]: held for name, held in torch_layers(network, weights).items()}
    arrays = tensors_of(layers) | {"stem.1.num_batches_tracked": np.array(3)}
    save_file(arrays, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **arrays)
    return weights


@pytest.mark.parametrize("file", ["w.safetensors", "w.npz"])
def test_weights_are_written_under_the_rows_names(cli, weights, file):
    done = cli("import", "weights", file, "--for", "net.cnn", "-o", "out.safetensors")
    assert (done.status, done.out) == (0, "")
    written = load_file("out.safetensors")
    assert written.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(written[name], array)
    assert "out.safetensors: 7 tensors, 849 numbers, for net" in done.err
    assert "1 num_batches_tracked, which only training needs" in done.err


def test_the_map_shows_every_tensor_of_both_sides(cli, weights):
    done = cli("import", "weights", "w.npz", "--for", "net.cnn", "--map")
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0][:2] == ["ours", "shape"]
    assert [line[0] for line in lines[1:]] == list(weights)
    assert lines[1][:4] == ["C1.weight", "4x3x3x3", "stem.0.weight", "4x3x3x3"]
    assert done.out.splitlines()[1].endswith("as it is    only fit")


def test_the_map_is_json_where_a_program_reads_it(cli, weights):
    done = cli("import", "weights", "w.npz", "--for", "net.cnn", "--json")
    found = json.loads(done.out)
    assert found["unused"] == ["stem.1.num_batches_tracked"]
    assert found["weights"][-1] == {
        "ours": "F2.bias",
        "shape": [5],
        "theirs": "head.bias",
        "their_shape": [5],
        "conversion": "as it is",
        "known_by": "only fit",
    }


def test_pairs_are_read_of_a_file(cli, weights, tmp_path):
    (tmp_path / "pairs.txt").write_text("F2 = head\n")
    done = cli("import", "weights", "w.npz", "--for", "net.cnn", "--map", "pairs.txt", "--json")
    assert json.loads(done.out)["weights"][-1]["known_by"] == "as you say"


def test_weights_can_be_converted_from_python(cli, weights):
    network = parse("net.cnn")
    model = cnndsl.compile(network, cnndsl.convert_weights("w.npz", network), threads=1)
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    expected = cnndsl.compile(network, weights, threads=1)(x)
    np.testing.assert_array_equal(model(x), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["w.npz"], "error[E001]: whose weights are they?"),
        (["w.npz.bin", "--for", "net.cnn"], "no format of weights ends in .bin"),
        (["gone.npz", "--for", "net.cnn"], "there is no such file"),
        (["net.npz", "--for", "net.cnn"], "it is no npz file"),
        (["objects.npz", "--for", "net.cnn"], "or it holds objects"),
        (["one.npz", "--for", "net.cnn"], "it holds one array, and no names"),
        (["bare.npz", "--for", "net.cnn"], "have no names, as numpy.savez(FILE, a, b) leaves them"),
        (["w.npz", "--for", "net.cnn", "--map", "gone.txt"], "cannot read gone.txt: "),
    ],
)
def test_what_cannot_be_read_is_a_planned_error(cli, weights, tmp_path, arguments, message):
    (tmp_path / "net.npz").write_text(TABLE)
    (tmp_path / "w.npz.bin").write_bytes((tmp_path / "w.npz").read_bytes())
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "bare.npz", np.zeros((8, 3, 3, 3)), np.zeros(8))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    done = cli("import", "weights", *arguments)
    assert done.status == 1
    assert message in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["weights", "w.npz", "--name", "x"],
            "--name goes with `import table`, not `import weights`",
        ),
        (["onnx", "m.onnx", "--map"], "--map goes with `import weights`, not `import onnx`"),
        (["table", "t.md", "--for", "net.cnn"], "--for goes with `import weights`"),
    ],
)
def test_an_argument_of_another_import_is_a_usage_error(cli, arguments, message):
    done = cli("import", *arguments)
    assert done.status == 2
    assert message in done.err


@pytest.mark.parametrize("epsilon", ["0", "-1e-5", "nan", "small"])
def test_an_epsilon_that_is_none_is_a_mistake_in_the_command(cli, weights, epsilon):
    done = cli("import", "weights", "w.npz", "--for", "net.cnn", f"--epsilon={epsilon}")
    assert done.status == 2


def test_the_map_says_when_columns_are_moved(cli, weights, tmp_path):
    (tmp_path / "hwc.cnn").write_text(TABLE.replace("flatten=chw", ""))
    done = cli("import", "weights", "w.npz", "--for", "hwc.cnn", "--map")
    (line,) = [line for line in done.out.splitlines() if line.startswith("F2.weight")]
    assert "columns chw→hwc" in line
