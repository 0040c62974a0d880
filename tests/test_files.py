"""Files that cannot be used: every error says why, and what mends it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.errors import FileError
from cnndsl.files import near_files, unreadable, unwritable


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "reason", "fix"),
    [
        (unreadable(Path("a.cnn"), refused(errno.EACCES)), "permissions", "chmod u+r a.cnn"),
        (unwritable(Path("no/a.cnn"), refused(errno.ENOENT)), "no folder no", "mkdir -p no"),
        (unwritable(Path("no/a.cnn"), refused(errno.EACCES)), "permissions", "chmod u+w no"),
        (unwritable(Path("a.cnn"), refused(errno.ENOSPC)), "the disk is full", "room on the disk"),
        (unwritable(Path("nets"), refused(errno.EISDIR)), "it is a folder", "nets/NAME"),
    ],
)
def test_a_refusal_of_the_system_is_said_in_plain_words_with_a_fix(error, reason, fix):
    (found,) = error.diagnostics
    assert (found.code, reason in found.message) == ("E801", True)
    assert fix.replace("/", os.sep) in found.fixes[0].message


def test_a_file_that_is_not_there_names_what_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert near_files(Path("a.png")) == [
        "another path: this folder holds no file of a similar name"
    ]
    for name in ("lenet.cnn", "two.cnn", "new\nline.cnn"):
        Path(name).touch()
    assert near_files(Path("lenet.cnm")) == ["did you mean lenet.cnn?"]
    assert near_files(Path("x.cnn")) == ["one of the files in this folder: lenet.cnn, two.cnn"]
    assert near_files(Path("two.cnn")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "FOLDER"),
        ("fmt", "FOLDER"),
        ("show", "FOLDER"),
        ("run", "lenet5", "FOLDER"),
        ("run", "FOLDER", "a.png"),
        ("compile", "lenet5", "-o", "FOLDER"),
        ("compile", "lenet5", "--weights", "FOLDER"),
        ("show", "lenet5", "--svg", "FOLDER"),
        ("import", "table", "FOLDER"),
        ("import", "weights", "FOLDER", "--for", "lenet5"),
        ("check", "ABSENT"),
        ("fmt", "ABSENT"),
        ("run", "lenet5", "ABSENT"),
        ("run", "ABSENT.cnnm", "a.png"),
        ("compile", "lenet5", "-o", "ABSENT/x"),
        ("compile", "lenet5", "--weights", "ABSENT"),
        ("import", "table", "ABSENT"),
        ("import", "weights", "ABSENT.pth", "--for", "lenet5"),
        ("diff", "lenet5", "ABSENT"),
        ("check", ""),
    ],
)
def test_every_verb_says_of_a_folder_or_of_nothing_why_it_is_no_file_and_what_is(cli, arguments):
    Path("FOLDER").mkdir()
    outcome = cli(*arguments)
    assert outcome.status == 1
    said = outcome.out + outcome.err
    assert "mistake in cnndsl" not in said
    assert "error[E" in said
    assert "\n  fix: " in said


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root"
)
def test_what_must_not_be_read_is_no_mistake_of_the_program(cli):
    Path("locked").mkdir()
    Path("locked/a.cnn").touch()
    Path("locked").chmod(0)
    try:
        for arguments in (("check", "locked/a.cnn"), ("run", "lenet5", "locked")):
            outcome = cli(*arguments)
            assert outcome.status == 1
            assert "permissions" in outcome.out + outcome.err
    finally:
        Path("locked").chmod(0o700)


def test_weights_that_are_not_there_are_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        cnndsl.compile("lenet5", tmp_path / "none.safetensors")
    np.savez(tmp_path / "net.npz", a=np.zeros(1))
    with pytest.raises(FileError, match="there is no such file") as caught:
        cnndsl.convert_weights(tmp_path / "nett.npz", "lenet5")
    assert caught.value.diagnostics[0].fixes[0].message == f"did you mean {tmp_path / 'net.npz'}?"


@pytest.mark.parametrize("name", ["-", ""])
@pytest.mark.parametrize(
    "arguments", [("compile", "lenet5"), ("export", "lenet5"), ("run", "lenet5", "a.png")]
)
def test_what_is_written_whole_goes_to_a_file_with_a_name(cli, arguments, name):
    outcome = cli(*arguments, "-o", name)
    assert outcome.status == 2
    assert f"{name!r} is no name of a file" in outcome.err
    assert not list(Path().iterdir())
