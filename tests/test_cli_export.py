"""`export` says what is wrong with a command before it asks for a package."""

import sys

from cli_calls import Cli


def test_a_model_is_written_only_under_a_name_that_says_what_it_is(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)  # as where it is not installed
    cli = Cli(capsys, monkeypatch)
    refused = cli("export", "lenet5", "-o", "lenet5.txt")
    assert refused.status == 2
    assert "does not end with .onnx" in refused.err
    assert "cnndsl[onnx]" in cli("export", "lenet5", "-o", "lenet5.onnx").err
    assert not list(tmp_path.iterdir())
