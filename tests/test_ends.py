"""Networks with several inputs and outputs: in the language, called, saved, and on the terminal."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.errors import InputError
from cnndsl.frontend.format import format_text
from cnndsl.ir.difference import Change, compare
from cnndsl.ir.draw import draw_svg
from cnndsl.ir.text import format_graph
from cnndsl.source import Source

TABLE = """\
cnn 1
network Stereo
outputs far, near

block Head(maps)
layer  type  maps   kernel  padding  activation
c1     conv  4      3x3     same     relu
c2     conv  $maps  1x1     valid
end

layer  type     maps  size   kernel  stride  padding  from
left   input    3     12x12                                       range=0..1 fit=stretch
L1     conv     4     12x12  3x3     1       same
right  input    3     12x12                                       layout=nchw
R1     conv     4     12x12  3x3     1       same
both   concat   8     12x12  -       -       -        L1,R1
near   Head     1     12x12
P2     maxpool  8     6x6    2x2     2       valid    both
far    dense    5
"""


def network(outputs: str = "far, near"):
    return cnndsl.parse(text=TABLE.replace("outputs far, near", f"outputs {outputs}"))


@pytest.fixture(scope="module")
def model():
    return cnndsl.compile(network(), seed=0)


def images(count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = (12, 12, 3), (3, 12, 12)
    left, right = (rng.standard_normal((count, *shape), np.float32) for shape in shapes)
    return left, right


@pytest.fixture
def cli(cli) -> Cli:
    Path("stereo.cnn").write_text(TABLE, encoding="utf-8")
    Path("heads.cnn").write_text(HEADS, encoding="utf-8")
    return cli


# ---- the language


def test_outputs_are_the_rows_and_blocks_that_are_named_in_that_order():
    net = network()
    assert net.outputs == ("far", "near")
    assert format_graph(net.ir).endswith("output far, near.c2")
    assert network("near.c1").ir.outputs == ("near.c1.relu",)
    assert network("L1, left").ir.outputs == ("L1", "left")


def test_an_unread_row_is_no_loss_where_it_is_an_output():
    assert network().warnings == ()
    assert [(w.code, w.row) for w in network("far").warnings] == [("W101", "near")]
    assert [w.row for w in network("L1").warnings] == ["right", "near", "far"]


@pytest.mark.parametrize("line", ["OUTPUTS far,near", "outputs far near,", "Outputs\tfar , near"])
def test_names_stand_behind_outputs_with_commas_or_blanks_and_are_written_with_both(line):
    text = TABLE.replace("outputs far, near", line)
    assert format_text(Source("t.cnn", text)) == TABLE
    assert format_text(Source("t.cnn", text), fill=True).startswith(TABLE.partition("layer")[0])
    assert cnndsl.parse(text=text).outputs == ("far", "near")


def test_summary_and_drawing_show_both_ends_where_they_are_not_the_first_and_last_row():
    lines = str(network().summary()).splitlines()
    assert lines[-3:-1] == ["inputs: left, right", "outputs: far, near"]
    assert draw_svg(network()).count(' output"') == 2
    lenet = cnndsl.parse("lenet5")
    assert lenet.summary().ends == ()
    assert ' output"' not in draw_svg(lenet)


def test_other_outputs_are_a_difference():
    assert compare(network(), network()).is_empty
    found = compare(network(), network("near, far"))
    assert found.outputs == Change("outputs", "far, near.c2", "near.c2, far")
    assert not found.is_empty


def test_no_weights_of_an_output_s_rows_are_lost():
    assert network("L1").param_table.keys() == network().param_table.keys()


# ---- calls


@pytest.mark.parametrize("target", ["cpu", "reference"])
def test_inputs_come_in_the_order_of_their_rows_or_by_name(target):
    model = cnndsl.compile(network(), seed=0, target=target)
    left, right = images()
    far, near = model(left, right)
    assert (far.shape, near.shape) == ((3, 5), (3, 12, 12, 1))
    for again in (model(left, right=right), model(right=right, left=left)):
        np.testing.assert_array_equal(again[0], far)
        np.testing.assert_array_equal(again[1], near)


def test_both_ends_are_known_by_name(model):
    assert model.inputs == {"left": (12, 12, 3), "right": (3, 12, 12)}
    assert model.outputs == {"far": (5,), "near": (12, 12, 1)}
    assert repr(model).startswith("<cnndsl.Model 12x12x3, 3x12x12 -> 5, 12x12x1, cpu")
    for name in ("input", "input_shape", "output_shape"):
        with pytest.raises(InputError, match=r"2 (inputs|outputs)"):
            getattr(model, name)


def test_a_single_image_of_each_input_gives_results_without_a_batch_axis(model):
    left, right = images(1)
    alone = model(left[0], right[0])
    for y, batch in zip(alone, model(left, right), strict=True):
        np.testing.assert_array_equal(y, batch[0])
    assert [y.shape for y in model(left[:0], right[:0])] == [(0, 5), (0, 12, 12, 1)]


def test_each_output_is_what_the_network_gives_that_has_it_alone():
    net = network("both, far, near, left, L1")
    wanted = cnndsl.compile(net, seed=0)(*images())
    assert wanted[3].shape == (3, 12, 12, 3)
    for name, want in zip(net.outputs, wanted, strict=True):
        found = cnndsl.compile(network(name), seed=0)(*images())
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x, y: m(x), "reads 2 arrays, and 1 is given; its inputs are left, right"),
        (lambda m, x, y: m(x, y, y), "reads 2 arrays, and 3 are given"),
        (lambda m, x, y: m(left=x), "reads 2 arrays, and 1 is given"),
        (lambda m, x, y: m(x, left=y), "left is given twice"),
        (lambda m, x, y: m(x, rihgt=y), "no input 'rihgt'"),
        (lambda m, x, y: m(x, y[:1]), "left holds a batch of 3, right holds a batch of 1"),
        (lambda m, x, y: m(x, y[0]), "left holds a batch of 3, right holds one image"),
        (lambda m, x, y: m(y, y), r"the input left's shape is \[3, 3, 12, 12\]"),
    ],
)
def test_a_call_that_does_not_fit_says_what_the_network_reads(model, call, message):
    with pytest.raises(InputError, match=message):
        call(model, *images())


def test_a_compiled_file_keeps_all_inputs_and_outputs(model, tmp_path):
    model.save(tmp_path / "stereo.cnnm")
    for _ in range(2):  # planned, and found planned
        again = cnndsl.load(tmp_path / "stereo.cnnm")
        assert (again.inputs, again.outputs) == (model.inputs, model.outputs)
        for y, wanted in zip(again(*images()), model(*images()), strict=True):
            np.testing.assert_array_equal(y, wanted)


def test_pictures_are_prepared_for_the_input_that_is_named(model):
    picture = np.full((7, 9, 3), 255, np.uint8)
    assert cnndsl.preprocess(picture, model, row="left").max() == 1.0
    with pytest.raises(InputError, match="2 inputs"):
        cnndsl.preprocess(picture, model)
    with pytest.raises(InputError, match="no input 'up'; it has left, right"):
        cnndsl.preprocess(picture, model, row="up")


# ---- the command line

HEADS = """\
cnn 1
network Heads
outputs kind, where
layer  type   maps  size  from
In     input  1     2x2         range=0..1 labels=kinds.txt
kind   dense  2     -
where  dense  3     -     In
"""


def test_run_prints_the_best_classes_of_each_list_and_writes_all_outputs(cli):
    Path("kinds.txt").write_text("cat\ndog\n", encoding="utf-8")
    np.save("x.npy", np.ones((2, 2, 2, 1), np.float32))
    outcome = cli("run", "heads.cnn", "x.npy", "--seed", "1", "--top", "1", "-o", "y.npz")
    assert outcome.status == 0
    lines = [line.split(" (")[0] for line in outcome.out.splitlines()]
    assert [line.split()[:2] for line in lines] == [
        ["x.npy[0]:", "kind:"],
        ["x.npy[0]:", "where:"],
        ["x.npy[1]:", "kind:"],
        ["x.npy[1]:", "where:"],
    ]
    assert lines[0].endswith(("cat", "dog"))
    assert lines[1][-1].isdigit()
    written = np.load("y.npz")
    assert {name: written[name].shape for name in written} == {"kind": (2, 2), "where": (2, 3)}
    refused = cli("run", "heads.cnn", "x.npy", "--seed", "1", "-o", "y.npy")
    assert "-o y.npz holds one array for each" in refused.err


def test_run_reads_files_for_each_input_by_name_or_in_order(cli, model):
    left, right = images(3)
    np.save("l.npy", left)
    Path("r").mkdir()
    for i, image in enumerate(right):
        np.save(f"r/{i}.npy", image)
    far, _ = model(left, right)
    for paths in (["l.npy", "r"], ["right=r", "left=l.npy"]):
        command = ["run", "stereo.cnn", *paths, "--seed", "0", "--batch", "2", "--top", "1"]
        outcome = cli(*command, "--json")
        assert outcome.status == 0
        found = json.loads(outcome.out)["results"]
        assert [(each["file"], each["index"], each["output"]) for each in found] == [
            ("l.npy", i, "far") for i in range(3)
        ]
        assert [each["top"][0]["class"] for each in found] == far.argmax(1).tolist()
        assert cli("verify", "stereo.cnn", "--seed", "0", "--input", *paths).status == 0


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["l.npy"], "does not say whose each file is"),
        (["left=l.npy"], "does not say whose each file is"),
        (["left=l.npy", "r.npy"], "does not say whose each file is"),
        (["l.npy", "r.npy"], "right has 2 images, and other inputs have more"),
        (["r.npy", "l.npy"], "r.npy: it holds float32 [3, 12, 12], and left reads images"),
        (["l.npy", "none.npy"], "none.npy: it cannot be read: there is no such file"),
    ],
)
def test_files_that_do_not_go_together_are_refused(cli, paths, message):
    left, right = images(3)
    np.save("l.npy", left)
    np.save("r.npy", right[:2])
    for command in (["run", "stereo.cnn", *paths], ["verify", "stereo.cnn", "--input", *paths]):
        outcome = cli(*command, "--seed", "0")
        assert outcome.status == 1
        assert message in outcome.err


def test_verify_measures_every_output(cli):
    outcome = cli("verify", "stereo.cnn", "--json")
    found = json.loads(outcome.out)
    assert set(found["output_errors"]) == {"far", "near"}
    assert found["output_error"] == max(found["output_errors"].values()) < 1e-5
    rows = [row["row"] for row in found["rows"]]
    assert rows == ["L1", "R1", "both", "near.c1", "near.c2", "P2", "far"]
    assert "output near: " in cli("verify", "stereo.cnn").out


def test_the_other_commands_take_such_networks(cli):
    assert cli("check", "--strict", "stereo.cnn").status == 0
    shown = json.loads(cli("show", "stereo.cnn", "--json").out)
    assert (shown["inputs"], shown["outputs"]) == (["left", "right"], ["far", "near"])
    assert cli("bench", "stereo.cnn", "--seconds", "0").status == 0
    assert cli("bench", "stereo.cnn", "--seconds", "0", "--layers").status == 0
    plan = cli("compile", "stereo.cnn", "--emit", "plan").out
    assert "output far[5]@output\noutput near.c2[12x12x1]@output1\n" in plan
    assert "right[12x12x3 nchw]@input1" in plan
    assert "number 2 of the network's outputs" in cli("explain", "stereo.cnn", "near").out
    assert cli("compile", "stereo.cnn", "--seed", "0", "-o", "s.cnnm").status == 0
    Path("other.cnn").write_text(TABLE.replace("far, near", "near"), encoding="utf-8")
    assert "outputs far, near.c2 → near.c2" in cli("diff", "s.cnnm", "other.cnn").out
