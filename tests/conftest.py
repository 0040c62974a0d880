"""Settings for the whole suite."""

import pytest
from cli_calls import Cli
from hypothesis import settings
from peers import one_node

from cnndsl.backends.cpu.times import Times

# No deadline: machines are shared, and how long an example takes says nothing about the code.
# Derandomized, so that a red run is red again; `--hypothesis-profile=search` looks further.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _untuned():
    """What was measured on this machine decides nothing in tests but in those of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cnndsl.backends.cpu.backend.kept_times", Times)
        yield


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path) -> Cli:
    """The command line, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Cli(capsys, monkeypatch)


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def onnx_node():
    """Run one ONNX operator in ONNX Runtime: `onnx_node("Relu", x)`, images as `[n, c, h, w]`."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1

    def run(operator, *arrays, **attributes):
        model, feed = one_node(operator, arrays, attributes)
        session = runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return session.run(["y"], feed)[0]

    return run
