"""Rows that are tensors of the file of weights: what tables say of them, and what runs of them."""

import numpy as np
import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.errors import CnnError
from cnndsl.frontend.load import load_network
from cnndsl.ir.difference import compare
from cnndsl.source import Source

pytestmark = pytest.mark.cache

TEXT = """cnn 1
network Embedded
outputs Out, Both, Pos

layer  type      maps  size  kernel  padding  activation  from
In     input     3     7x5
C1     conv      4     7x5   3x3     1        relu
Pos    constant  4     7x5
Sum    add       4     7x5   -       -        relu        C1,Pos
Gain   constant  4     -     -       -        -           -      trained=no
Out    mul       4     7x5   -       -        -           Sum,Gain
Both   concat    8     7x5   -       -        -           Pos,Out
"""


def network(text=TEXT):
    return load_network(Source("embedded.cnn", text))


def codes(text):
    with pytest.raises(CnnError) as refused:
        network(text)
    return [diagnostic.code for diagnostic in refused.value.diagnostics]


def test_its_tensor_is_a_parameter_of_the_shape_that_its_cells_say():
    params = network().param_table
    assert (params["Pos.value"].shape, params["Gain.value"].shape) == ((7, 5, 4), (4,))
    assert (network().params, network().trainable_params) == (112 + 140 + 4, 112 + 140)


def test_the_cpu_computes_what_the_reference_says_whatever_the_batch():
    model, reference = (
        cnndsl.compile(network(), seed=3, target=target) for target in ("cpu", "reference")
    )
    x = np.random.default_rng(0).standard_normal((5, 7, 5, 3), np.float32)
    together = model(x)
    for y, expected in zip(together, reference(x), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for i in range(len(x)):
        for y, alone in zip(together, model(x[i : i + 1]), strict=True):
            np.testing.assert_array_equal(y[i : i + 1], alone)
    np.testing.assert_array_equal(together[2], [model.weights["Pos.value"]] * 5)


def test_a_saved_model_has_its_tensor(tmp_path):
    model = cnndsl.compile(network(), seed=3)
    model.save(tmp_path / "embedded.cnnm")
    x = np.ones((2, 7, 5, 3), np.float32)
    for _ in range(2):  # the second time from what was prepared
        again = cnndsl.load(tmp_path / "embedded.cnnm")
        for y, expected in zip(again(x), model(x), strict=True):
            np.testing.assert_array_equal(y, expected)


def test_each_use_of_a_block_has_a_tensor_of_its_own():
    text = """cnn 1
network Blocks

block Shifted(maps)
layer  type      maps   size  from
shift  constant  $maps  6x6
out    add       $maps  6x6   in,shift
end

layer  type     maps  size
In     input    3     6x6
S      Shifted  3     6x6   repeat=2
"""
    assert set(network(text).param_table) == {"S.1.shift.value", "S.2.shift.value"}


def test_a_network_begins_with_an_input_and_not_with_a_constant():
    first = (
        "cnn 1\nlayer type maps size from\nPos constant 4 7x5\nIn input 4 7x5\nS add 4 7x5 In,Pos\n"
    )
    assert codes(first) == ["E114"]


def test_it_reads_nothing_and_an_addition_refuses_another_shape():
    assert codes(TEXT.replace("Pos    constant  4     7x5\n", "Pos constant 4 7x5 from=C1\n")) != []
    assert codes(TEXT.replace("Pos    constant  4     7x5", "Pos    constant  4     1x1")) != []


def test_a_difference_says_whether_its_tensor_still_loads():
    wider = network(TEXT.replace("Gain   constant  4     -   ", "Gain   constant  4     1x1 "))
    fates = {weight.before: weight.fate for weight in compare(network(), wider).weights}
    assert (fates["Pos.value"], fates["Gain.value"]) == ("loads", "reshaped")


FOLDED = """cnn 1
network Folded

layer  type      maps  size  kernel  padding  activation  from
In     input     3     6x6
C1     conv      4     6x6   3x3     1
Gain   constant  4     -
Out    mul       4     6x6   -       -        relu        C1,Gain
A      constant  4     6x6
AA     mul       4     6x6   -       -        -           A,A
Sum    add       4     6x6   -       -        -           Out,AA
"""


def test_explain_says_where_the_numbers_of_a_folded_row_are(capsys, monkeypatch, tmp_path):
    cli = Cli(capsys, monkeypatch)
    (tmp_path / "folded.cnn").write_text(FOLDED)
    for row, kernel in (
        ("C1", "conv_direct computes C1, then relu"),
        ("Gain", "none: its numbers are in those that conv_direct has for C1"),
        ("Out", "none: its numbers are in those that conv_direct has for C1"),
        ("A", "none: its numbers are in those that constant has for AA"),
        ("AA", "constant computes AA"),
    ):
        out = cli("explain", tmp_path / "folded.cnn", row).out
        assert out.splitlines()[-1] == f"kernel       {kernel}"


def test_a_folded_network_computes_what_the_reference_says():
    model, reference = (
        cnndsl.compile(network(FOLDED), seed=3, target=target) for target in ("cpu", "reference")
    )
    x = np.random.default_rng(0).standard_normal((3, 6, 6, 3), np.float32)
    np.testing.assert_allclose(model(x), reference(x), rtol=1e-5, atol=1e-5)


TURNED = """\
cnn 1
network Turned
layer  type      maps  size  from
a      input     4     3x2
k      constant  2     4x3
r      reshape   4     3x2   k     to=3x2x4 order=chw
y      mul       4     3x2   a,r
"""


def test_a_folded_tensor_that_was_turned_round_lies_as_kernels_read_it():
    network = load_network(Source("turned.cnn", TURNED))
    rng = np.random.default_rng(0)
    weights = {"k.value": rng.standard_normal((4, 3, 2)).astype(np.float32)}
    x = rng.standard_normal((2, 3, 2, 4)).astype(np.float32)
    expected, y = (
        cnndsl.compile(network, weights, target=target)(x) for target in ("reference", "cpu")
    )
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_another_framework_s_tensor_is_turned_and_taken_out_of_its_batch_of_one(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"stem.weight": (4, 3, 3, 3), "stem.bias": (4,), "pos": (1, 4, 7, 5), "gain": (4,)}
    theirs = {name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()}
    np.savez(tmp_path / "theirs.npz", **theirs)
    ours = cnndsl.convert_weights(tmp_path / "theirs.npz", network())
    np.testing.assert_array_equal(ours["Pos.value"], theirs["pos"][0].transpose(1, 2, 0))
    np.testing.assert_array_equal(ours["Gain.value"], theirs["gain"])
