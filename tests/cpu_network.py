"""A small network for the CPU backend, with weights, for tests in this process and in others."""

import numpy as np
from graphs import graph_of

from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.executable import CpuExecutable
from cnndsl.backends.protocol import Request
from cnndsl.plan.build import make_plan

NETWORK = graph_of(
    ("x", "input maps=3 size=33x31", ""),
    ("c", "conv maps=24 kernel=3 padding=1", "x"),
    ("a", "activation activation=tanh", "c"),
    ("p", "maxpool kernel=3 stride=2", "a"),
    ("d", "conv maps=40 kernel=3 padding=1", "p"),
    ("f", "flatten", "d"),
    ("o", "dense maps=10", "f"),
)
SHAPES = {
    "c.weight": (24, 3, 3, 3),
    "c.bias": (24,),
    "d.weight": (40, 24, 3, 3),
    "d.bias": (40,),
    "o.weight": (10, 40 * 16 * 15),
    "o.bias": (10,),
}


def executable(threads: int) -> CpuExecutable:
    """The network, ready to run with up to that many threads."""
    rng = np.random.default_rng(1)
    weights = {name: rng.standard_normal(s, np.float32) / 10 for name, s in SHAPES.items()}
    backend = CpuBackend()
    return backend.load(Request(make_plan(NETWORK, backend.choose), weights, threads))


def images(batch: int) -> np.ndarray:
    """A batch of input images, always the same."""
    return np.random.default_rng(2).standard_normal((batch, 33, 31, 3), np.float32)
