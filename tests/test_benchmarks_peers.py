"""What the other runtimes are given is our network: the conversion, and each runtime itself."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import contest
from benchmarks.cases import Case, Problem
from benchmarks.peers import PEERS, Exports
from benchmarks.runner import run_case
from cnndsl.api import parse
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.errors import TargetError

pytestmark = pytest.mark.peers

HEADER = "cnn 1\nnetwork Small\nlayer type maps size\n"

# Each is the rows between an input of 3x11x9 and the end.
ROWS = {
    "conv": "C conv 6 ? kernel=3x2 stride=2x1 padding=1x0 dilation=1x2",
    "groups": "C conv 6 ? kernel=3 padding=1 groups=3 bias=no",
    "one-sided padding": "C conv 4 ? kernel=4 padding=same_upper",
    "depthwise": "C depthwise ? ? kernel=3 padding=1 multiplier=2",
    "batch normalization": "C conv 4 ? kernel=3 bias=no\nB batchnorm ? ? epsilon=1e-3",
    "batch normalization of a vector": "D dense 6\nB batchnorm epsilon=1e-3",
    "connections": "C conv 2 ? kernel=3 connect=0+1,2",
    "max pool": "P maxpool ? ? kernel=3 stride=2 padding=1",
    "max pool, rounded up": "P maxpool ? ? kernel=2 stride=2 rounding=ceil",
    "max pool, one-sided": "P maxpool ? ? kernel=3 stride=2 padding=0+1",
    "average pool": "P avgpool ? ? kernel=3x2 stride=2",
    "average pool, padding counted": "P avgpool ? ? kernel=3 stride=2 padding=1 divisor=padded",
    "average pool, inside": "P avgpool ? ? kernel=3 stride=2 padding=1 divisor=inside",
    "global pools": "G globalavgpool ? ?\nD dense 4",
    "global max pool": "G globalmaxpool ? ?",
    "lrn of the book": "N lrn ? ? r=2 alpha=0.3 beta=0.75 k=1",
    "lrn of the paper": "C conv 9 ? kernel=1\nN lrn ? ? n=5 alpha=0.2 beta=0.5 k=2",
    "lrn of torch": "C conv 9 ? kernel=1\nN lrn ? ? size=4 align=torch alpha=0.9 beta=0.75 k=1",
    "dense on an image": "D dense 5 activation=softmax",
    "dense, order of PyTorch": "D dense 5 flatten=chw",
    "dense behind dropout": "F flatten\nR dropout rate=0.5\nD dense 5",
    "dense beside another reader": "F flatten\nD dense 297\nS add from=D,F",
    "a flattened image as the result": "C conv 4 ? kernel=3\nF flatten",
    "a sum": "C conv 3 ? kernel=3 padding=1\nS add ? ? from=C,In activation=relu",
    "a product": "C conv 3 ? kernel=1 activation=sigmoid\nM mul ? ? from=C,In",
    "a factor a map": "G globalavgpool ? ?\nM mul ? ? from=In,G",
    "a factor a map, of a vector": "G globalavgpool ? ?\nD dense 3\nM mul ? ? from=In,D",
    "maps side by side": "C conv 2 ? kernel=1\nJ concat ? ? from=C,In axis=maps",
    "depthwise separable": "S separable 5 ? kernel=3 stride=2 padding=1 multiplier=2",
    "transposed": "T convtranspose 4 ? kernel=4x3 stride=2 padding=1x0 output_padding=1",
    "transposed, in groups": "T convtranspose 3 ? kernel=2 stride=2 groups=3 bias=no",
    "maps dealt out": "C conv 6 ? kernel=1\nD shuffle ? ? groups=3",
    "a part": "P slice ? ? row_range=1:-2 column_range=::2 map_range=1:",
    "gates": "A activation ? ? activation=hard_sigmoid(0.2,0.5)",
    "gates of PyTorch": "A activation ? ? activation=hard_sigmoid(1/6,0.5)",
    "functions": "A activation ? ? activation=leaky_relu(0.1)\nB activation ? ? activation=tanh",
    "softmax of maps": "A activation ? ? activation=softmax",
}


def problem_of(rows: str) -> Problem:
    return Problem(parse(text=f"{HEADER}In input 3 11x9\n{rows}\n"))


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_the_module_computes_what_the_reference_defines(torch, rows):
    from benchmarks.to_torch import to_torch

    problem = problem_of(rows)
    x = np.random.default_rng(3).standard_normal((2, 3, 11, 9))
    with torch.no_grad():
        y = to_torch(problem.network, problem.weights).double()(torch.from_numpy(x)).numpy()
    (ours,) = evaluate(problem.network.ir, problem.weights, [x.transpose(0, 2, 3, 1)])
    expected = ours.transpose(0, 3, 1, 2) if ours.ndim == 4 else ours
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_what_has_no_counterpart_is_refused_with_its_row(torch):
    from benchmarks.to_torch import to_torch

    for rows in ("R rbf 4 distance=squared", "N lrn ? ? size=2 align=onnx alpha=1 beta=1 k=1"):
        problem = problem_of(rows)
        with pytest.raises(TargetError) as caught:
            to_torch(problem.network, problem.weights)
        assert caught.value.diagnostics[0].row == rows[0]


@pytest.mark.cache
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # other people's, of one another
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize(
    "rows",
    [
        "C conv 8 ? kernel=3 padding=1 activation=relu\nN lrn ? ? r=2 alpha=0.1 beta=0.75 k=1\n"
        "P maxpool ? ? kernel=3 stride=2\nD dense 6 activation=tanh\nE dense 5 activation=softmax",
        "C conv 3 ? kernel=3 padding=1\nS add ? ? from=C,In activation=relu\n"
        "P avgpool ? ? kernel=2 stride=2",
    ],
    ids=["probabilities", "an image"],
)
def test_each_runtime_computes_our_network(peer, rows, tmp_path, monkeypatch):
    if peer.missing:
        pytest.skip(f"{', '.join(peer.missing)} not installed")
    monkeypatch.setattr(contest, "BURST_SECONDS", 0.0)
    problem, notes = problem_of(rows), []
    exports = Exports(problem, tmp_path)
    for batch, threads in [(1, 1), (3, 1), (3, 2)]:
        case = Case("small", batch, threads)
        measured = run_case(case, problem, exports, [peer], 0.0, notes.append)
        assert not measured.refused, notes
        assert measured.differences[peer.name] < contest.ALLOWED
        assert measured.ratio is not None
