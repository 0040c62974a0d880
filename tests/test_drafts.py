"""Files that are written as drafts and renamed."""

import os
from pathlib import Path

import pytest

from cnndsl.errors import FileError
from cnndsl.interop.drafts import write_whole


def test_a_disk_that_is_full_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "net.cnn"
    path.write_bytes(b"old")

    def full(self, content):
        with self.open("wb") as file:
            file.write(content[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match="the disk is full"):
        write_whole(path, b"a new table")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["net.cnn"]


def test_a_link_leads_to_the_new_file(tmp_path):
    path, link = tmp_path / "net.cnn", tmp_path / "link.cnn"
    path.write_bytes(b"old")
    link.symlink_to(path)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_a_path_that_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "net.cnn", Path("a\0b")):
        with pytest.raises(FileError):
            write_whole(path, b"x")
