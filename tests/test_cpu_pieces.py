"""Batches that are run a few images at a time: when, and that nobody can tell."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from cpu_network import executable, images

from cnndsl.backends.cpu import executable as module
from cnndsl.backends.cpu.executable import FLOATS_IN_CACHES, WEIGHTS_A_FLOAT, images_a_run
from cnndsl.backends.cpu.program import Relocatable

PROGRAM = Relocatable(np.zeros((0, 0), np.int64), {}, (), (), (), (), arena=0, scratch=0, work=0)


def most(arena: int, weights: int) -> int:
    packed = np.broadcast_to(np.float32(0), weights)
    return images_a_run(replace(PROGRAM, arena=arena, arrays=(packed,)))


def test_a_run_takes_the_images_that_fit_into_the_caches():
    assert most(FLOATS_IN_CACHES // 4, 100) == 4
    assert most(FLOATS_IN_CACHES // 4 + 1, 100) == 3
    assert most(3 * FLOATS_IN_CACHES, 100) == 1
    assert most(0, 0) >= 1


def test_many_weights_are_read_once_for_all_images():
    arena = FLOATS_IN_CACHES // 4
    assert most(arena, WEIGHTS_A_FLOAT * arena) == 4
    assert most(arena, WEIGHTS_A_FLOAT * arena + 1) == sys.maxsize


@pytest.mark.cache
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("at_a_time", "batch"), [(1, 3), (2, 4), (3, 8)])
def test_a_batch_in_pieces_has_the_bits_of_one_run(monkeypatch, threads, at_a_time, batch):
    monkeypatch.setattr(module, "images_a_run", lambda program: sys.maxsize)
    (whole,) = executable(threads)((images(batch),))
    monkeypatch.setattr(module, "images_a_run", lambda program: at_a_time)
    (pieces,) = executable(threads)((images(batch),))
    np.testing.assert_array_equal(pieces, whole)
