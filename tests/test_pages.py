"""Weights lie in files that are mapped: aligned, and in memory only while somebody reads them."""

import mmap
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

import cnndsl
from cnndsl.interop.pages import release
from cnndsl.interop.safetensors_file import CACHE_LINE, open_safetensors, save_safetensors

WHOLE = {"a": (3,), "b": (64, 100), "c": (7, 16), "d": (1, 1, 5), "e": (512, 300)}


def refuse(reason: str) -> Exception:
    return AssertionError(reason)


def mapped(path: Path) -> dict[str, np.ndarray]:
    return {n: tensor.float32() for n, tensor in open_safetensors(path, refuse).tensors.items()}


def resident(array: np.ndarray) -> int:
    """The bytes of an array's pages that are in this process's memory."""
    start, found, inside = array.ctypes.data, 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        place = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if place:
            inside = int(place[1], 16) <= start < int(place[2], 16)
        elif inside and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


linux = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's /proc")


@given(st.lists(st.lists(st.integers(0, 40), max_size=3), max_size=6), st.text(max_size=9))
def test_tensors_of_whole_cache_lines_begin_at_one(tmp_path_factory, shapes, text):
    path = tmp_path_factory.mktemp("t") / "t.safetensors"
    arrays = {f"t{i}": np.full(shape, i, np.float32) for i, shape in enumerate(shapes)}
    save_safetensors(path, arrays, {"text": text})
    theirs, ours = load_file(path), mapped(path)
    assert set(theirs) == set(ours) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)
        np.testing.assert_array_equal(ours[name], array)
        if array.nbytes % CACHE_LINE == 0:
            assert ours[name].ctypes.data % CACHE_LINE == 0
    assert open_safetensors(path, refuse).metadata == {"text": text}


@linux
def test_released_pages_leave_memory_and_come_back_as_they_were(tmp_path):
    array = np.random.default_rng(0).standard_normal((512, 1024), np.float32)
    save_safetensors(tmp_path / "t.safetensors", {"t": array}, {})
    view = mapped(tmp_path / "t.safetensors")["t"]
    np.testing.assert_array_equal(view, array)
    assert resident(view) >= array.nbytes
    release(view)
    assert resident(view) < array.nbytes // 8
    np.testing.assert_array_equal(view, array)


def test_what_is_no_view_of_a_file_is_left_alone():
    whole = np.arange(10_000, dtype=np.float32)
    copied = np.frombuffer(memoryview(whole.tobytes()), np.float32)
    anonymous = np.frombuffer(memoryview(bytearray(8 * mmap.PAGESIZE)), np.float32)
    for array in (whole, whole[10:], whole.reshape(100, 100).T, copied, anonymous):
        before = array.copy()
        release(array)
        np.testing.assert_array_equal(array, before)


TABLE = """\
cnn 1
network Wide
layer  type   maps  size   kernel  padding  norm
In     input  64    8x8
C1     conv   512   8x8    3x3     1        batch(1e-5)
Out    dense  40    -      -       -
"""


@linux
@pytest.mark.cache
@pytest.mark.parametrize(
    ("kept", "read"), [("float32", {"Out.weight"}), ("bfloat16", set()), ("int8", set())]
)
def test_only_weights_that_are_read_where_they_lie_stay_in_memory(tmp_path, kept, read):
    made = cnndsl.compile(cnndsl.parse(text=TABLE), seed=0, dense_weights=kept)
    made.save(tmp_path / "m.cnnm")
    model = cnndsl.load(tmp_path / "m.cnnm", dense_weights=kept)
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 64), np.float32)
    np.testing.assert_array_equal(model(x), made(x))
    sizes = {name: array.nbytes for name, array in model.weights.items()}
    needed = sum(sizes[name] for name in read)
    # The header, the biases, and what the system maps around what is read.
    assert needed <= resident(model.weights["Out.weight"]) < needed + 2**18
    assert sizes["C1.weight"] > 2**20 < sizes["Out.weight"]
