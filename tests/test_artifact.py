"""A compiled model's file comes back whole, or is refused with what is wrong with it."""

import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import cnndsl
from cnndsl.errors import ArtifactError, CnnError, FileError
from cnndsl.interop.artifact import read_artifact, write_artifact

TEXT = "cnn 1\nnetwork Net  # über\n"
WEIGHTS = {
    "C1.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "C1.bias": np.array([np.nan, -0.0, 1e-40], np.float32),
}


@pytest.fixture
def path(tmp_path):
    write_artifact(tmp_path / "m.cnnm", TEXT, WEIGHTS, ["nought", "one"])
    return tmp_path / "m.cnnm"


def test_a_model_comes_back_bit_for_bit(path):
    artifact = read_artifact(path)
    assert artifact.text == TEXT
    assert artifact.labels == ("nought", "one")
    assert set(artifact.weights) == set(WEIGHTS)
    for name, array in WEIGHTS.items():
        assert artifact.weights[name].tobytes() == array.tobytes()


def test_the_file_is_plain_safetensors(path):
    np.testing.assert_array_equal(load_file(path)["C1.weight"], WEIGHTS["C1.weight"])
    with safe_open(path, "numpy") as file:
        assert file.metadata()["network"] == TEXT


def test_the_file_s_mode_follows_the_umask(path):
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="truncated") as caught:
        read_artifact(path)
    assert caught.value.code == "E502"


@given(st.data())
def test_any_changed_byte_is_noticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("a") / "m.cnnm"
    write_artifact(path, TEXT, WEIGHTS, None)
    content = bytearray(path.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        artifact = read_artifact(path)
    except CnnError:
        return
    # What is left is a byte that means nothing, such as a blank of the header's JSON.
    assert artifact.text == TEXT
    assert {n: a.tobytes() for n, a in artifact.weights.items()} == {
        n: a.tobytes() for n, a in WEIGHTS.items()
    }


def test_changed_weights_are_told_from_damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="does not match its hash") as caught:
        read_artifact(path)
    assert caught.value.code == "E503"


def test_a_foreign_file_is_refused_with_what_it_is(tmp_path):
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    with pytest.raises(ArtifactError, match="is a safetensors file, and not") as caught:
        read_artifact(tmp_path / "w.safetensors")
    assert caught.value.code == "E501"
    assert "cnndsl compile" in caught.value.diagnostics[0].fixes[0].message


def test_a_newer_format_is_refused(tmp_path):
    metadata = {"kind": "cnndsl compiled model", "format": "2"}
    save_file(WEIGHTS, tmp_path / "m.cnnm", metadata)
    with pytest.raises(ArtifactError, match="format '2'") as caught:
        read_artifact(tmp_path / "m.cnnm")
    assert caught.value.code == "E504"


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(FileError, match="there is no such file"):
        read_artifact(tmp_path / "none.cnnm")
    with pytest.raises(FileError, match="cannot write"):
        write_artifact(tmp_path / "none" / "m.cnnm", TEXT, WEIGHTS, None)


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", _fail)
    monkeypatch.setattr("pathlib.Path.replace", _fail)
    with pytest.raises(FileError):
        write_artifact(path, "cnn 1\n", WEIGHTS, None)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def _fail(*_):
    raise OSError(28, "No space left on device")


def test_what_was_changed_is_never_loaded_nor_kept(tmp_path, monkeypatch):
    """The content is checked beside the loading: whatever that makes of it, the change is told."""
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path / "cache"))
    cnndsl.compile("lenet5", seed=0).save(tmp_path / "m.cnnm")
    cnndsl.load(tmp_path / "m.cnnm")  # the next one would keep its program
    content = (tmp_path / "m.cnnm").read_bytes()
    for old, new in [
        (content[-4:], bytes(4)),  # a weight
        (b"C1     conv", b"C1     c0nv"),  # a table that is none any more
        (b'"C1.weight"', b'"C1.weighs"'),  # a tensor's name
    ]:
        (tmp_path / "m.cnnm").write_bytes(new.join(content.rsplit(old, 1)))
        for target in ("cpu", "reference"):
            with pytest.raises(ArtifactError, match="does not match its hash"):
                cnndsl.load(tmp_path / "m.cnnm", target=target)
    assert not list((tmp_path / "cache").glob("program*"))
