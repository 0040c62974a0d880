"""Packed weights lie on large pages, where there are enough of them and the system has such."""

import ctypes
import mmap
import sys

import numpy as np
import pytest

from cnndsl.backends.cpu.lowering import weight_memory as module
from cnndsl.backends.cpu.lowering.weight_memory import (
    BEHIND,
    HUGE_PAGE,
    PAGE,
    weight_memory,
)
from cnndsl.interop.pages import release

LARGE = pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="Linux has large pages")


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (3, 7, 11), (2, 1 << 17), (3, 1 << 18, 1)])
def test_weights_have_their_shape_and_begin_as_zeros(shape):
    packed = weight_memory(shape)
    assert (packed.shape, packed.dtype) == (shape, np.float32)
    assert packed.flags.c_contiguous
    assert packed.flags.writeable
    assert not packed.any()
    packed[...] = 1.0
    assert packed.sum() == packed.size


@LARGE
@pytest.mark.parametrize("floats", [1 << 18, 1 << 19, 3 << 18, (1 << 21) + 5])
def test_weights_that_fill_pages_begin_with_one(floats):
    assert weight_memory((floats,)).ctypes.data % HUGE_PAGE == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells which pages are there")
@pytest.mark.parametrize("floats", [5000, 1 << 18, 1 << 19, 3 << 18, (1 << 21) + 5])
def test_what_is_asked_for_behind_the_weights_is_there(floats):
    packed = weight_memory((floats,))
    end = packed.ctypes.data + packed.nbytes
    first, last = end // PAGE, (end + min(BEHIND, packed.nbytes)) // PAGE
    found = (ctypes.c_ubyte * (last - first))()
    length = ctypes.c_size_t(len(found) * PAGE)
    assert ctypes.CDLL(None).mincore(ctypes.c_void_p(first * PAGE), length, found) == 0
    assert all(page & 1 for page in found)


def test_weights_are_not_let_go_of_as_a_file_would_be():
    packed = weight_memory((1 << 20,))
    packed[...] = 2.0
    release(packed)
    assert packed.min() == 2.0


@LARGE
def test_a_system_that_refuses_large_pages_gives_the_usual_ones(monkeypatch):
    class Refusing(mmap.mmap):
        def madvise(self, *arguments):
            raise OSError("no such advice")

    monkeypatch.setattr(module.mmap, "mmap", Refusing)
    assert weight_memory((1 << 20,)).size == 1 << 20


def test_systems_without_the_advice_have_the_usual_pages(monkeypatch):
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    assert weight_memory((1 << 20,)).size == 1 << 20
