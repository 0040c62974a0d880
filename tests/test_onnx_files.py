"""ONNX files by the Python API and by the command line."""

import sys

import numpy as np
import pytest
from cli_calls import SMALL

import cnndsl
from cnndsl.errors import MissingExtra


@pytest.fixture
def model():
    return cnndsl.compile(cnndsl.parse(text=SMALL), seed=0, target="reference")


@pytest.fixture
def onnx_file(model, tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "small.onnx"
    cnndsl.to_onnx(model, path)
    return path


@pytest.mark.peers
def test_a_model_written_and_read_gives_the_same(model, onnx_file):
    found = cnndsl.from_onnx(onnx_file)
    again = cnndsl.compile(found.network, found.weights, target="reference")
    x = np.random.default_rng(0).standard_normal((3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)


@pytest.mark.peers
def test_rows_keep_their_names_and_claims(onnx_file):
    text = cnndsl.from_onnx(onnx_file).network.source.text
    assert "C1     conv     4     24x24  5x5     1       valid    relu" in text
    assert "Out    dense    10    -      -       -       -        softmax" in text


@pytest.mark.peers
def test_what_was_imported_can_be_exported(onnx_file, tmp_path):
    cnndsl.to_onnx(cnndsl.from_onnx(onnx_file), tmp_path / "again.onnx")
    again = cnndsl.from_onnx(tmp_path / "again.onnx")
    assert again.network.params == cnndsl.from_onnx(onnx_file).network.params


@pytest.mark.peers
def test_the_command_line_writes_a_table_and_its_weights(cli, onnx_file, tmp_path):
    outcome = cli("import", "onnx", onnx_file, "-o", tmp_path / "m.cnn")
    assert outcome.status == 0
    assert "m.safetensors" in outcome.err
    assert "5,874 parameters, every claim true" in cli("check", tmp_path / "m.cnn").out
    weights = tmp_path / "m.safetensors"
    exported = cli("export", tmp_path / "m.cnn", "--weights", weights, "-o", "back.onnx")
    assert exported.status == 0
    assert (tmp_path / "back.onnx").stat().st_size > 20_000


@pytest.mark.peers
def test_a_compiled_model_is_exported(cli, model, tmp_path):
    pytest.importorskip("onnx")
    model.save(tmp_path / "m.cnnm")
    assert cli("export", "m.cnnm", "-o", "m.onnx").status == 0


@pytest.mark.peers
def test_a_file_that_is_no_model_is_said_to_be_none(cli, tmp_path):
    pytest.importorskip("onnx")
    for content, fix in [
        (b"\x00\xff not a model", "copied again"),
        (b"", "copied again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ]:
        (tmp_path / "x.onnx").write_bytes(content)
        outcome = cli("import", "onnx", "x.onnx")
        assert outcome.status == 1
        assert "error[E804]: x.onnx is no ONNX model" in outcome.err
        assert fix in outcome.err


@pytest.mark.parametrize("verb", ["import", "export"])
def test_without_the_package_the_error_says_what_to_install(cli, monkeypatch, tmp_path, verb):
    monkeypatch.setitem(sys.modules, "onnx", None)
    (tmp_path / "x.onnx").write_bytes(b"")
    (tmp_path / "t.cnn").write_text(SMALL)
    calls = {
        "import": ("import", "onnx", "x.onnx"),
        "export": ("export", "t.cnn", "--seed", 0, "-o", "y.onnx"),
    }
    outcome = cli(*calls[verb])
    assert outcome.status == 1
    assert "E803" in outcome.err
    assert "pip install 'cnndsl[onnx]'" in outcome.err


def test_the_package_is_asked_for_when_it_is_used_only(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra):
        cnndsl.from_onnx(tmp_path / "absent.onnx")
