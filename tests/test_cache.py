"""What the cache keeps, what it lets go, and what it never touches."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnndsl import cache as caches
from cnndsl.cache import MOST_UNUSED, FileCache

KEYS = [bytes([i]) * 32 for i in range(8)]
DAY = 24 * 3600


@pytest.fixture
def cache(tmp_path) -> FileCache:
    return FileCache(tmp_path)


def used_before(path: Path, seconds: float) -> None:
    """Let a file look as if it had last been used so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def kept(cache: FileCache) -> set[str]:
    return {entry.name for entry in cache.entries()}


def test_an_entry_that_nobody_used_for_long_goes_when_a_new_one_comes(cache):
    for name, age in {"old": MOST_UNUSED + DAY, "young": MOST_UNUSED - DAY}.items():
        cache.put(name, KEYS[0], b"code")
        used_before(cache.path(name, KEYS[0]), age)
    FileCache(cache.directory).put("new", KEYS[0], b"code")
    assert kept(cache) == {"young", "new"}


def test_an_entry_that_is_used_stays(cache):
    cache.put("old", KEYS[0], b"code")
    used_before(cache.path("old", KEYS[0]), MOST_UNUSED + DAY)
    assert cache.get("old", KEYS[0]) == b"code"
    FileCache(cache.directory).put("new", KEYS[0], b"code")
    assert kept(cache) == {"old", "new"}


def test_the_longest_unused_entries_go_where_all_are_too_much(cache, monkeypatch):
    for i in range(4):
        cache.put(f"entry{i}", KEYS[i], bytes(1000))
        used_before(cache.path(f"entry{i}", KEYS[i]), (3 - i) * 3600)
    monkeypatch.setattr(caches, "MOST_BYTES", 3500)
    FileCache(cache.directory).put("new", KEYS[0], bytes(1000))
    assert kept(cache) == {"entry2", "entry3", "new"}


def test_a_draft_that_a_killed_process_left_goes_and_one_in_the_making_stays(cache):
    made = cache.path("kernel", KEYS[0])
    drafts = [made.with_suffix(f".{pid}-1") for pid in (1, 2)]
    for draft in drafts:
        draft.write_bytes(b"half")
    used_before(drafts[0], 2 * 3600)
    cache.put("new", KEYS[0], b"code")
    assert not drafts[0].exists()
    assert drafts[1].exists()


def foreign_files(folder: Path) -> set[str]:
    """Files and folders that the cache did not make, some named as if it had."""
    digest = KEYS[7].hex()[:24]
    (folder / "thesis.txt").write_text("all my work")
    (folder / f"thesis-{digest}.cache").write_text("another program's, " * 20)
    (folder / f"thesis-{digest}.txt").write_text("all my work")
    (folder / "short-123.cache").write_text("")
    (folder / f"folder-{digest}.cache").mkdir()
    (folder / f"link-{digest}.cache").symlink_to(folder / "thesis.txt")
    found = names(folder)
    for name in found:
        if not (folder / name).is_symlink():
            used_before(folder / name, MOST_UNUSED + DAY)
    return found


def test_clearing_and_pruning_leave_other_files_alone(cache, tmp_path, monkeypatch):
    foreign = foreign_files(tmp_path)
    monkeypatch.setattr(caches, "MOST_BYTES", 0)
    cache.put("kernel", KEYS[0], b"code")
    assert names(tmp_path) == foreign
    monkeypatch.undo()
    for i in range(3):
        cache.put(f"kernel{i}", KEYS[i], b"code")
    cache.path("kernel1", KEYS[1]).write_bytes(b"")  # a damaged one is still the cache's
    assert {entry.name for entry in cache.clear()} == {"kernel0", "kernel1", "kernel2"}
    assert names(tmp_path) == foreign
    assert (tmp_path / "thesis.txt").read_text() == "all my work"


def test_a_folder_that_is_not_there_has_no_entries(tmp_path):
    cache = FileCache(tmp_path / "none")
    assert cache.entries() == cache.clear() == []


def test_whether_a_cache_can_be_written_is_tried(cache, tmp_path):
    assert cache.is_writable()
    assert names(tmp_path) == set()
    (tmp_path / "file").write_bytes(b"")
    assert not FileCache(tmp_path / "file" / "cache").is_writable()


def test_what_is_mapped_comes_back_from_a_page_on(cache):
    parts = [b"head", bytes(range(256)) * 300, b"end"]
    cache.put_mapped("large", KEYS[0], parts)
    assert cache.map("large", KEYS[0]) == b"".join(parts)
    assert cache.map("large", KEYS[1]) is None
    assert cache.get("large", KEYS[0]) is None


@given(st.data())
def test_any_change_of_what_is_mapped_is_noticed(tmp_path_factory, data):
    cache = FileCache(tmp_path_factory.mktemp("cache"))
    content = data.draw(st.binary(max_size=200)) + bytes(range(256)) * data.draw(
        st.integers(0, 600)
    )
    cache.put_mapped("large", KEYS[0], [content])
    path = cache.mapped_path("large", KEYS[0])
    whole = bytearray(path.read_bytes())
    meant = [*range(8 + 32 + 32), *range(4096, len(whole))]  # the rest of the first page is empty
    place = data.draw(st.sampled_from(meant))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    assert cache.map("large", KEYS[0]) is None


def test_blocks_that_changed_places_are_noticed(cache):
    blocks = [bytes([i]) * 2**16 for i in range(3)]
    cache.put_mapped("large", KEYS[0], blocks)
    path = cache.mapped_path("large", KEYS[0])
    path.write_bytes(path.read_bytes()[:4096] + blocks[1] + blocks[0] + blocks[2])
    assert cache.map("large", KEYS[0]) is None


def test_entries_that_are_mapped_have_a_limit_of_their_own(cache, monkeypatch):
    monkeypatch.setattr(caches, "MOST_MAPPED_BYTES", 40_000)
    cache.put("kernel", KEYS[0], bytes(1000))
    used_before(cache.path("kernel", KEYS[0]), 20 * 3600)
    for i in range(4):
        FileCache(cache.directory).put_mapped(f"large{i}", KEYS[i], [bytes(10_000)])
        used_before(cache.mapped_path(f"large{i}", KEYS[i]), (4 - i) * 3600)
    FileCache(cache.directory).put_mapped("too large", KEYS[0], [bytes(20_000)])
    assert kept(cache) == {"kernel", "large2", "large3"}
