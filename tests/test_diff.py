"""Two networks beside each other: rows, costs, and which weights still load."""

import json
import re
from collections import Counter

import pytest
from cli_calls import Cli

import cnndsl
from cnndsl.errors import WeightsError
from cnndsl.interop.weights import seeded_weights, take_weights
from cnndsl.ir.difference import Change, compare
from cnndsl.resources import shipped_specs

HEAD = "cnn 1\nnetwork N\n"
TABLE = """\
layer  type     maps  size   kernel  stride  padding  activation
In     input    1     12x12
C1     conv     4     12x12  3x3     1       same     relu
S2     maxpool  4     6x6    2x2     2       valid    -
C3     conv     8     6x6    1x1     1       valid    tanh
Out    dense    5     -      -       -       -        softmax
"""


def network(table: str = TABLE):
    return cnndsl.parse(text=HEAD + table)


@pytest.fixture
def cli(cli, tmp_path) -> Cli:
    (tmp_path / "a.cnn").write_text(HEAD + TABLE)
    return cli


@pytest.mark.parametrize("spec", shipped_specs())
def test_a_network_does_not_differ_from_itself(spec):
    found = compare(cnndsl.parse(spec), cnndsl.parse(spec))
    assert found.is_empty
    assert {weight.fate for weight in found.weights} == {"loads"}


def test_a_changed_attribute_is_named_with_what_follows_from_it():
    found = compare(
        network(),
        network(
            TABLE.replace("4     12x12  3x3", "6     12x12  5x5").replace("4     6x6", "6     6x6")
        ),
    )
    changes = {row.before: row.changes for row in found.rows}
    assert changes["C1"] == (
        Change("maps", "4", "6"),
        Change("kernel", "3x3", "5x5"),
        Change("output", "12x12x4", "12x12x6"),
    )
    assert changes["S2"] == (Change("output", "6x6x4", "6x6x6"),)
    fates = {weight.before: weight.fate for weight in found.weights}
    assert fates["C1.weight"] == fates["C3.weight"] == "reshaped"
    assert fates["C3.bias"] == fates["Out.weight"] == "loads"


def test_a_renamed_row_is_followed_and_so_are_its_weights():
    found = compare(network(), network(TABLE.replace("C3 ", "X3 ")))
    assert [(row.kind, row.before, row.after) for row in found.rows] == [("renamed", "C3", "X3")]
    renamed = [(w.before, w.after) for w in found.weights if w.fate == "renamed"]
    assert renamed == [("C3.weight", "X3.weight"), ("C3.bias", "X3.bias")]


def test_what_is_only_in_one_is_added_or_removed():
    shorter = TABLE.replace("C3     conv     8     6x6    1x1     1       valid    tanh\n", "")
    for pair, kind, fate in (
        ((network(), network(shorter)), "removed", "left over"),
        ((network(shorter), network()), "added", "missing"),
    ):
        found = compare(*pair)
        assert (kind, "C3") in {(row.kind, row.before or row.after) for row in found.rows}
        alone = [w.before or w.after for w in found.weights if w.fate == fate]
        assert alone == ["C3.weight", "C3.bias"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("lenet5", "lenet5_1998"), ("alexnet", "alexnet_2012"), ("resnet18", "resnet34")],
)
def test_weights_that_load_are_those_that_loading_takes(first, second):
    before, after = cnndsl.parse(first), cnndsl.parse(second)
    found = compare(before, after)
    ours = seeded_weights(before.param_table, 0)
    with pytest.raises(WeightsError) as refused:
        take_weights(ours, after.param_table)
    found_wrong = refused.value.diagnostics
    refusals = {str(d.message).partition(":")[0] for d in found_wrong}
    fixes = [fix.message for diagnostic in found_wrong for fix in diagnostic.fixes]
    refusals |= {name for fix in fixes for name in re.findall("rename '([^']+)'", fix)}
    unread = {w.after or w.before for w in found.weights if w.fate != "loads"}
    unread |= {w.before for w in found.weights if w.fate == "renamed"}
    assert refusals == unread


@pytest.mark.parametrize(
    ("first", "second"), [("alexnet", "alexnet_2012"), ("vgg16", "vgg19"), ("nin", "zfnet")]
)
def test_the_other_way_round_is_the_opposite(first, second):
    before, after = cnndsl.parse(first), cnndsl.parse(second)
    opposite = {"removed": "added", "added": "removed"}
    there, back = compare(before, after), compare(after, before)
    assert Counter(row.kind for row in there.rows) == Counter(
        opposite.get(row.kind, row.kind) for row in back.rows
    )
    there_loads, back_loads = (
        {weight.before for weight in found.weights if weight.fate == "loads"}
        for found in (there, back)
    )
    assert there_loads == back_loads


def test_the_command_prints_rows_costs_and_weights(cli, tmp_path):
    (tmp_path / "b.cnn").write_text(HEAD + TABLE.replace("dense    5", "dense    7"))
    outcome = cli("diff", "a.cnn", "b.cnn")
    assert (outcome.status, outcome.err) == (1, "")
    assert "Out  changed  maps 5 → 7, output 5 → 7" in outcome.out
    assert "weights: 4 of 6 tensors load\n  Out.weight: [5, 288] becomes [7, 288]" in outcome.out
    found = json.loads(cli("diff", "a.cnn", "b.cnn", "--json").out)
    assert found["same"] is False
    assert found["after"]["params"] - found["before"]["params"] == 2 * 289


def test_no_difference_is_fine(cli):
    outcome = cli("diff", "a.cnn", "a.cnn")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith("weights: all 6 tensors load\n")
    assert json.loads(cli("diff", "a.cnn", "a.cnn", "--json").out)["same"] is True


def test_a_table_that_is_wrong_is_said_with_its_place(cli, tmp_path):
    (tmp_path / "b.cnn").write_text(HEAD + TABLE.replace("12x12  3x3", "11x11  3x3"))
    outcome = cli("diff", "a.cnn", "b.cnn")
    assert outcome.status == 1
    assert "b.cnn:5:23: error[E202]" in outcome.err
