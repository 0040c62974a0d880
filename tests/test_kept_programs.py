"""A compiled model's program is kept with its packed weights, and does what it did."""

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnndsl
from cnndsl import cache as caches
from cnndsl.backends.cpu import lowered
from cnndsl.cache import FileCache

pytestmark = pytest.mark.cache

TABLE = """cnn 1
network Small

layer  type     maps  size   kernel  stride  activation
In     input    3     12x12  -       -       -
C1     conv     20    10x10  3x3     1       relu
S2     maxpool  20    5x5    2x2     2       -
F3     dense    40    -      -       -       relu
Y      dense    7     -      -       -       softmax
"""
SINGLE, SEVERAL = (
    np.random.default_rng(5).standard_normal((n, 12, 12, 3), np.float32) for n in (1, 3)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A compiled model's file."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "small.cnn").write_text(TABLE)
    cnndsl.compile(folder / "small.cnn", seed=3).save(folder / "small.cnnm")
    return folder / "small.cnnm"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> FileCache:
    """An empty cache."""
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path))
    return FileCache(tmp_path)


@pytest.fixture
def packings(monkeypatch) -> list[str]:
    """The names of the nodes whose weights are packed from here on."""
    names: list[str] = []
    lower_step = lowered.lower_step

    def noted(step, params):
        names.append(step.node)
        return lower_step(step, params)

    monkeypatch.setattr(lowered, "lower_step", noted)
    return names


def kept(cache: FileCache) -> list[caches.Entry]:
    """The entries that hold programs."""
    return [entry for entry in cache.entries() if entry.is_mapped]


def outputs(model: cnndsl.Model) -> list[bytes]:
    return [model(x).tobytes() for x in (SINGLE, SEVERAL)]


def test_a_model_that_is_loaded_again_is_kept_and_then_run_as_it_lies(model, cache, packings):
    first = cnndsl.load(model)
    assert not kept(cache)
    second = cnndsl.load(model)
    (entry,) = kept(cache)
    packings.clear()
    third = cnndsl.load(model)
    assert third(SINGLE).tobytes() == second(SINGLE).tobytes() == first(SINGLE).tobytes()
    assert not packings
    assert kept(cache) == [entry]
    assert outputs(third) == outputs(second) == outputs(first)  # also of what was not kept
    assert packings


def test_a_restored_model_shows_the_same(model, cache):
    made, _, restored = (cnndsl.load(model) for _ in range(3))
    assert repr(restored) == repr(made)
    assert restored.signature == made.signature
    assert list(restored.weights) == list(made.weights)
    assert all(np.array_equal(restored.weights[name], made.weights[name]) for name in made.weights)
    assert restored.network.ir.nodes == made.network.ir.nodes


def test_weights_that_are_read_where_they_lie_are_not_kept_twice(model, cache):
    weights, _ = (cnndsl.load(model).weights for _ in range(2))
    (entry,) = kept(cache)
    assert weights["F3.weight"].nbytes == 80_000
    assert entry.size < 40_000


def test_other_options_and_other_weights_are_another_program(model, cache, tmp_path):
    other = tmp_path / "other.cnnm"
    cnndsl.compile(model.with_suffix(".cnn"), seed=4).save(other)
    narrow = {"dense_weights": "bfloat16"}
    loads = [(model, {}), (other, {}), (model, narrow), (model, {"numerics": "strict"})]
    found = [[outputs(cnndsl.load(p, **options)) for _ in range(3)] for p, options in loads]
    assert all(each == [each[0]] * 3 for each in found)
    assert len(kept(cache)) == len(loads)
    assert found[0][0] != found[1][0]
    assert found[0][0] != found[2][0]


def test_a_model_outlives_the_entry_that_it_was_restored_from(model, cache):
    made, _, restored = (cnndsl.load(model) for _ in range(3))
    cache.clear()
    assert outputs(restored) == outputs(made)


@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_entry_is_a_miss_and_is_mended(model, cache, data):
    cache.clear()
    right, _ = (outputs(cnndsl.load(model)) for _ in range(2))
    (entry,) = kept(cache)
    whole = bytearray(entry.path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        del whole[place:]
    else:
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    # A file of its own, as a cache's are: a mapped one is not written to.
    entry.path.unlink()
    entry.path.write_bytes(whole)
    assert outputs(cnndsl.load(model)) == right
    assert outputs(cnndsl.load(model)) == right
    assert len(kept(cache)) == 1


def test_a_full_disk_keeps_no_program_and_is_no_problem(model, cache, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 10**4))
    first, *others = [outputs(cnndsl.load(model)) for _ in range(3)]
    assert others == [first] * 2
    assert not kept(cache)


def test_a_write_that_fails_leaves_nothing_behind(model, cache, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caches, "checksum_of_blocks", fail)
    first, *others = [outputs(cnndsl.load(model)) for _ in range(3)]
    assert others == [first] * 2
    assert {path.suffix for path in cache.directory.iterdir()} == {".cache"}
