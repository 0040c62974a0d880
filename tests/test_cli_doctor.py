"""`cnndsl doctor` says what is there, and clears the cache and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnndsl
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cuda import availability, device
from cnndsl.cache import FileCache
from cnndsl.cli.installation import Extra, extras

pytestmark = pytest.mark.cache

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    """An empty folder for the cache."""
    chosen = tmp_path / "cache"
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(chosen))
    return chosen


def doctor() -> dict:
    """What a process of its own finds."""
    run = subprocess.run(
        [sys.executable, "-m", "cnndsl", "doctor", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(run.stdout)


def test_kernels_are_compiled_once_and_then_found(folder):
    first, second = doctor(), doctor()
    assert first["cache"]["entries"] == first["start"]["found"] == 0
    compiled = first["start"]["compiled"]
    assert "run" in compiled
    assert second["start"] == {**second["start"], "found": len(compiled), "compiled": []}
    assert second["cache"]["kernels"] == len(compiled)
    assert second["cache"]["entries"] == len(compiled) + 1  # the grammar's tables
    assert second["cache"]["stale"] == 0
    assert second["cache"]["directory"] == str(folder)
    assert second["cache"]["bytes"] == sum(file.stat().st_size for file in folder.iterdir())


def test_kernels_of_another_version_are_stale_and_plans_are_no_kernels(cli, folder):
    cache = FileCache(folder)
    cache.put("dense", bytes(32), b"code of yesterday")
    cache.put("plan", bytes(32), b"{}")
    found = json.loads(cli("doctor", "--json").out)["cache"]
    counts = {name: found[name] for name in ("entries", "kernels", "plans", "stale")}
    assert counts == {"entries": 2, "kernels": 1, "plans": 1, "stale": 1}
    assert found["stale_bytes"] == cache.path("dense", bytes(32)).stat().st_size


def test_the_machine_is_as_the_compiler_sees_it(cli, folder):
    outcome = cli("doctor", "--json")
    found = json.loads(outcome.out)
    assert outcome.status == 0
    assert found["versions"]["cnndsl"] == cnndsl.__version__
    assert found["versions"]["numpy"] == np.__version__
    target = Target.host()
    assert found["processor"]["name"] == target.cpu
    assert found["processor"]["vector_bits"] == 32 * target.lanes
    assert 1 <= found["processor"]["usable"] <= found["processor"]["processors"]


def test_people_are_told_the_same(cli, folder):
    said = cli("doctor").out
    lines = dict(line.split(maxsplit=1) for line in said.splitlines())
    assert lines["versions"].startswith(f"cnndsl {cnndsl.__version__}, python ")
    assert lines["cache"] == f"{folder}, can be written"
    assert "0 entries, 0 B: 0 kernels, 0 of GPUs, 0 plans" in said
    assert "0 programs with packed weights, 0 B" in said
    assert "lenet5 needs " in said
    assert ", ".join(Target.host().used) in lines["processor"]
    assert "gpu" in lines


def test_what_a_gpu_lacks_is_told_with_what_would_help(cli, folder, monkeypatch):
    monkeypatch.setattr(availability, "missing_packages", lambda: ["numba-cuda"])
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    device.shared_device.cache_clear()
    found = json.loads(cli("doctor", "--json").out)["gpu"]
    assert found["problem"] == "the target cuda needs numba-cuda"
    assert found["fixes"] == ["pip install 'cnndsl[cuda]'"]


@pytest.mark.filterwarnings("ignore::cnndsl.cache.CacheWarning")
def test_a_cache_that_cannot_be_written_is_a_finding(cli, monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    outcome = cli("doctor")
    assert outcome.status == 1
    assert "CANNOT be written" in outcome.out


def test_clearing_removes_entries_and_no_other_file(cli, folder):
    FileCache(folder).put("dense", bytes(32), b"code")
    (folder / "thesis.txt").write_text("all my work")
    outcome = cli("doctor", "--clear-cache")
    assert outcome.status == 0
    assert outcome.out.startswith(f"{folder}: 1 entry removed, ")
    assert os.listdir(folder) == ["thesis.txt"]
    again = json.loads(cli("doctor", "--clear-cache", "--json").out)
    assert (again["removed"], again["left"]) == (0, 0)


def test_an_extra_is_present_where_all_of_it_is():
    assert Extra("cli", {"rich": "15.0", "pillow": "13.0"}).is_present
    assert not Extra("cli", {"rich": "15.0", "pillow": None}).is_present
    declared = {extra.name: set(extra.packages) for extra in extras()}
    assert declared["cli"] == {"rich", "pillow"}
    assert "dev" not in declared
