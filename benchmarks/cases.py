"""What is measured: networks by name, their weights, and images for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cnndsl.api import find_spec, parse
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.network import Network
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add

FloatArray = NDArray[np.float32]

SPECS = Path(__file__).with_name("nets")
# Where a name means another table than the spec that is shipped under it.
_OTHERS = {"lenet5": "lenet5_dense", "resnet50": "resnet50_folded"}
_INPUT_SIZE = re.compile(r"(?m)^(\w+ +input +\w+ +)\d+x\d+")


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement. `side` is that of the images, where the network's own is not meant."""

    network: str
    batch: int
    threads: int
    side: int | None = None


@dataclass(frozen=True)
class Problem:
    """A network that every runtime is to compute, with the same weights."""

    network: Network

    @cached_property
    def weights(self) -> dict[str, FloatArray]:
        """Weights that are the same in every process."""
        return draw_weights(self.network)

    @property
    def classifies(self) -> bool:
        """Whether the outputs are a softmax's."""
        op = self.network.ir[self.network.ir.outputs[0]].op
        return isinstance(op, Activation) and op.name == "softmax"

    def images(self, batch: int) -> FloatArray:
        """A batch of random images, `[n, maps, height, width]`."""
        entry = self.network.input
        shape = (batch, entry.maps, *entry.size)
        return np.random.default_rng(batch).random(shape, np.float32)


def open_problem(name: str, side: int | None = None) -> Problem:
    """
    The network of that name: one of benchmarks/nets, a shipped spec, or a file.

    With `side`, for images of that size. Raises `CnnError`.
    """
    own = SPECS / f"{_OTHERS.get(name, name)}.cnn"
    path = own if own.exists() else find_spec(name)
    if side is None:
        return Problem(parse(path))
    text = _INPUT_SIZE.sub(rf"\g<1>{side}x{side}", path.read_text(encoding="utf-8"))
    return Problem(parse(text=text))


def draw_weights(network: Network) -> dict[str, FloatArray]:
    """
    Random weights that keep values within a few powers of two through any depth.

    None is zero or one, as a seed would draw it, so that one that is left out shows. A sum would
    double the variance that He's initialisation keeps; the rows that it adds up make up for it.
    """
    summed = {name for node in network.ir.nodes if isinstance(node.op, Add) for name in node.inputs}
    scaled = {row.name for row in network.rows if row.result in summed}
    params = network.param_table
    weights = seeded_weights(params, seed=0)
    for name, array in weights.items():
        rng = np.random.default_rng(crc32(name.encode()))
        if params[name].init == "zeros":
            weights[name] = 0.1 * rng.standard_normal(array.shape, np.float32)
        elif params[name].init == "ones":
            weights[name] = 0.5 + rng.random(array.shape, np.float32)
        elif name.rpartition(".")[0] in scaled:
            weights[name] = array * np.float32(0.5)
    return weights
