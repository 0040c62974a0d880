"""
The CUDA kernels in the simulator, each file of tests in a process of its own.

The simulator takes numba.cuda's place when that is imported, so a process must ask for it first.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = sorted(
    [
        *(HERE / "simulator").glob("test_*.py"),
        HERE / "test_cuda_gemm.py",
        HERE / "test_cuda_thin.py",
    ]
)
PATIENCE = 900  # seconds, on a machine that is busy with much else

pytestmark = pytest.mark.skipif(
    find_spec("numba_cuda") is None, reason="needs numba-cuda: pip install 'cnndsl[cuda]'"
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_kernels_are_right_in_the_simulator(file):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", file],
        cwd=HERE.parent,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        text=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
