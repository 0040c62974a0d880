"""The verbs that read tables: what they print, where, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cli_calls import SMALL

from cnndsl.cli import check
from cnndsl.cli.main import main

FALSE = SMALL.replace("24x24", "25x25").replace("maxpool", "maxpol")


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.cnn"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture
def false(tmp_path) -> Path:
    path = tmp_path / "false.cnn"
    path.write_text(FALSE, encoding="utf-8")
    return path


def test_check_says_what_is_fine(cli, small):
    outcome = cli("check", small)
    assert outcome.status == 0
    assert outcome.out == f"{small}: 4 rows, 5,874 parameters, every claim true\n"


def test_check_reads_standard_input_and_shipped_names(cli):
    assert cli("check", "-", stdin=SMALL.encode()).status == 0
    assert "62,378,344 parameters" in cli("check", "alexnet").out


def test_check_prints_every_finding_of_every_file(cli, small, false):
    outcome = cli("check", false, small, "absent.cnn")
    assert outcome.status == 1
    assert outcome.err == ""
    assert f"{false}:5:23: error[E202]: row C1, column size: " in outcome.out
    assert "\n                        ^^^^^\n" in outcome.out
    assert f"{false}:6:8: error[E104]" in outcome.out
    assert "there is no file 'absent.cnn'" in outcome.out
    assert "every claim true" in outcome.out
    assert outcome.out.endswith("\n3 errors\n")


def test_check_writes_findings_for_programs(cli, false):
    outcome = cli("check", false, "--format", "json")
    first, second = json.loads(outcome.out)["diagnostics"]
    assert outcome.status == 1
    assert (first["code"], first["row"], first["column"]) == ("E202", "C1", "size")
    place = {"file": str(false), "line": 5, "column": 23, "end_line": 5, "end_column": 28}
    assert first["place"] == place
    assert second["fixes"][0]["edits"][0]["text"] == "maxpool"
    assert json.loads(cli("check", "alexnet", "--json").out) == {"diagnostics": []}


def test_check_writes_annotations_for_github(cli, false):
    first, second = cli("check", false, "--format", "github").out.splitlines()
    assert first.startswith(
        f"::error file={false},line=5,endLine=5,col=23,endColumn=28,title=E202::row C1, column"
    )
    assert "%0Afix: " in first
    assert "title=E104" in second


def test_warnings_are_findings_only_where_they_are_asked_to_be(cli, tmp_path):
    unread = SMALL.replace("Out ", "X1     dense    3\nOut ").replace("softmax", "softmax  from=S2")
    path = tmp_path / "w.cnn"
    path.write_text(unread, encoding="utf-8")
    outcome = cli("check", path)
    assert outcome.status == 0
    assert "warning[W101]" in outcome.out
    assert cli("check", path, "--strict").status == 1
    assert "warning[W101]" in cli("show", path).err


def test_limits_are_named_and_can_be_raised(cli):
    outcome = cli("check", "alexnet", "--max-memory", "100M")
    assert outcome.status == 1
    assert "error[E304]" in outcome.out
    assert "--max-memory" in outcome.out
    assert cli("show", "alexnet", "--max-memory", "1G").status == 0
    assert cli("show", "alexnet", "--max-memory", "much").status == 2


def test_show_prints_sizes_costs_totals_and_the_peak(cli, small):
    outcome = cli("show", small)
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0] == "Small"
    assert lines[4].split()[:5] == ["C1", "conv", "24x24x4", "104", "57,600"]
    assert "5,874 parameters" in lines[-2]
    assert "activations 12.1 KiB at their peak" in lines[-2]
    # C1's and S2's output; the input is the caller's.
    assert lines[-1] == "arena on the target cpu: 11.2 KiB an image"
    assert "arena" not in cli("show", small, "--target", "reference").out


def test_show_writes_the_same_for_programs(cli, small):
    shown = json.loads(cli("show", small, "--json").out)
    assert shown["params"] == sum(row["params"] for row in shown["rows"]) == 5_874
    assert shown["peak_activation_bytes"] == 4 * (28 * 28 + 24 * 24 * 4)
    assert (shown["target"], shown["arena_bytes"]) == ("cpu", 4 * (24 * 24 * 4 + 12 * 12 * 4))
    assert shown["rows"][1]["shape"] == [24, 24, 4]
    assert shown["diagnostics"] == []


def test_show_draws_without_graphviz(cli, small, tmp_path):
    assert cli("show", small, "--svg", tmp_path / "small.svg").status == 0
    drawn = (tmp_path / "small.svg").read_text(encoding="utf-8")
    assert drawn == cli("show", small, "--svg", "-").out
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert "cannot write" in cli("show", small, "--svg", tmp_path / "no" / "x.svg").err


def test_explain_prints_the_exact_formula_and_what_is_known(cli):
    outcome = cli("explain", "alexnet", "N1")
    assert outcome.status == 0
    assert "/ (1 + 2e-05 * sum(x[i, j, m]^2 for max(0, c-1) <= m <= min(95, c+1)))" in outcome.out
    assert "r=2: 3 maps are summed" in outcome.out
    assert "reads        C1: 55x55 with 96 maps" in outcome.out
    assert "kernel       lrn computes N1" in outcome.out


def test_explain_follows_a_row_through_all_its_steps(cli, small):
    explained = json.loads(cli("explain", small, "Out", "--json").out)
    assert list(explained["formulas"]) == ["Out.flatten", "Out", "Out.softmax"]
    assert explained["params"] == {"Out.weight": [10, 576], "Out.bias": [10]}
    assert explained["macs"] == 5760
    assert explained["values"]["flatten"] == "hwc"
    assert explained["kernels"][0].startswith("dense computes Out")


def test_explain_knows_the_rows(cli, small):
    outcome = cli("explain", small, "C9")
    assert outcome.status == 1
    assert "its rows are In, C1, S2, Out" in outcome.err


def test_fmt_aligns_in_place_once(cli, small):
    small.write_text(SMALL.replace("  ", " "), encoding="utf-8")
    assert cli("fmt", small).err == f"{small}: changed\n"
    assert small.read_text(encoding="utf-8") == SMALL
    assert cli("fmt", small).err == ""


def test_fmt_checks_and_shows_differences_without_writing(cli, small, tmp_path):
    loose = tmp_path / "loose.cnn"
    loose.write_text(SMALL.replace("C1     conv", "C1 conv"), encoding="utf-8")
    before = loose.read_bytes()
    outcome = cli("fmt", "--check", "--diff", small, loose)
    assert outcome.status == 1
    assert outcome.err == f"{loose} would be changed\n"
    assert "\n-C1 conv " in outcome.out
    assert "\n+C1     conv " in outcome.out
    assert loose.read_bytes() == before
    assert cli("fmt", "--check", small).status == 0


def test_fmt_fills_in_what_it_infers(cli):
    asked = SMALL.replace("24x24", "?").replace("12x12", "?")
    outcome = cli("fmt", "--fill", "-", stdin=asked.encode())
    assert (outcome.status, outcome.out) == (0, SMALL)
    assert cli("fmt", "--fill", "-", stdin=FALSE.encode()).status == 1


def test_fmt_keeps_the_line_ends_of_a_file(cli, small):
    small.write_bytes(SMALL.replace("  ", " ").replace("\n", "\r\n").encode())
    cli("fmt", small)
    assert small.read_bytes() == SMALL.replace("\n", "\r\n").encode()


def test_fmt_reports_each_file_that_it_cannot_read(cli, small, tmp_path):
    outcome = cli("fmt", tmp_path / "absent.cnn", small, tmp_path)
    assert outcome.status == 1
    assert outcome.err.count("error[E801]") == 2


def test_import_table_writes_a_table_that_checks(cli, tmp_path):
    pasted = Path(__file__).parent / "tables" / "lenet5_ko.md"
    outcome = cli("import", "table", pasted, "--name", "LeNet-5")
    assert outcome.status == 0
    assert outcome.out == pasted.with_name("lenet5.cnn").read_text(encoding="utf-8")
    assert "note: C1, S2, C3, S4, C5: the table does not say the padding" in outcome.err
    assert cli("import", "table", pasted, "-o", tmp_path / "t.cnn").out == ""
    assert "61,696 parameters" in cli("check", tmp_path / "t.cnn").out


def test_import_table_names_the_cell_that_it_cannot_read(cli):
    outcome = cli("import", "table", "-", stdin=b"Layer,Type\nIn,Input\nC1,Convulsion\n")
    assert outcome.status == 1
    assert "<stdin>:3:4: error[E802]: row C1, column type: 'Convulsion'" in outcome.err
    assert outcome.out == ""


def test_texts_from_strangers_cannot_steer_the_terminal(cli):
    outcome = cli("check", "-", stdin=SMALL.replace("maxpool", "max\x1b[31mpool").encode())
    assert "\x1b" not in outcome.out
    assert "\ufffd[31m" in outcome.out


def test_without_a_verb_the_help_is_printed(cli):
    outcome = cli()
    assert outcome.status == 2
    assert "usage: cnndsl" in outcome.err
    assert "cnndsl check alexnet.cnn" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "reason", "fix"),
    [
        (("chek", "alexnet"), "there is no verb 'chek'", "did you mean check?"),
        (("predict", "a.png"), "there is no verb 'predict'", "did you mean run?"),
        (("lenet5",), "there is no verb 'lenet5'", "cnndsl check lenet5"),
        (("42",), "there is no verb '42'", "cnndsl --help lists the verbs"),
        (("check",), "required: SPEC", "cnndsl check --help"),
        (("show", "alexnet", "vgg16"), "'vgg16' is an argument too many", "cnndsl show --help"),
        (("show", "alexnet", "--tarlet", "cpu"), "no option --tarlet", "did you mean --target?"),
        (("show", "alexnet", "--colour"), "no option --colour", "cnndsl show --help"),
        (("--json", "show", "alexnet"), "--json stands before its verb", "cnndsl show --json"),
        (("show", "alexnet", "--format", "yaml"), "invalid choice: 'yaml'", "cnndsl show --help"),
        (("compile", "alexnet", "--seed", "0", "--weights", "w"), "not allowed with", "--help"),
        (("bench", "alexnet", "--batch", "0"), "'0' is not a whole number", "cnndsl bench --help"),
    ],
)
def test_a_mistake_in_the_command_ends_with_2_and_says_what_mends_it(cli, arguments, reason, fix):
    outcome = cli(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    message, *fixes = outcome.err.splitlines()
    assert message.startswith("error[E002]: ")
    assert reason in message
    assert fixes
    assert fixes[0].startswith("  fix: ")
    assert fix in fixes[0]


def test_every_verb_has_a_page_of_help(cli):
    verbs = ["check", "show", "fmt", "explain", "compile", "run", "bench", "import"]
    for verb in verbs:
        outcome = cli(verb, "--help")
        assert outcome.status == 0
        assert "examples:" in outcome.out
        assert f"  {verb} " in cli("--help").out


def test_a_mistake_of_the_program_is_one_line_and_a_traceback_only_with_debug(cli, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("the moon is full")

    monkeypatch.setattr(check, "load_spec", fail)
    outcome = cli("check", "alexnet")
    assert outcome.status == 70
    assert outcome.err.count("\n") == 1
    assert "please report it" in outcome.err
    assert "RuntimeError: the moon is full" in outcome.err
    assert "Traceback" in cli("check", "alexnet", "--debug").err


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 141), (MemoryError, 1)]
)
def test_interruptions_are_quiet(cli, monkeypatch, error, status):
    def interrupt(*_: object) -> None:
        raise error

    monkeypatch.setattr(check, "load_spec", interrupt)
    outcome = cli("check", "alexnet")
    assert outcome.status == status
    assert "Traceback" not in outcome.err
    assert (outcome.err == "") == (error is not MemoryError)


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("cnndsl 0.")
