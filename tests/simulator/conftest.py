"""Tests that run CUDA kernels as Python, in a process with NUMBA_ENABLE_CUDASIM=1."""

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
        here = os.path.dirname(__file__)
        skip = pytest.mark.skip(reason="runs in a process of its own: tests/test_cuda_simulator.py")
        for item in items:
            if str(item.path).startswith(here):
                item.add_marker(skip)
