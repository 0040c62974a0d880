"""A random dense layer, for the tests of every kernel that computes one."""

import numpy as np
from cpu_kernel_driver import UNTOUCHED, blank_of, cells, memory_of, outside, run
from tolerances import bound

from cnndsl.backends.cpu.lowering.call import Call
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

PLAIN = Epilogue()


class DenseProblem:
    """
    A random dense layer, its memory, and what it must compute.

    `lower(x, y, epilogue, weight, bias, tile)` is the lowering of the kernel under test, which may
    round `roundings` times more than a plain sum.
    """

    roundings = 0

    def __init__(self, lower, inputs: int, outputs: int, batch: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.lower, self.batch = lower, batch
        self.x, self.y = Buffer("x", (inputs,), "input"), Buffer("y", (outputs,), "output")
        self.weight = rng.standard_normal((outputs, inputs), np.float32)
        self.bias = rng.standard_normal(outputs, np.float32)
        self.images = rng.standard_normal((batch, inputs), np.float32)

    def call(self, epilogue=PLAIN, tile=None) -> Call:
        """The kernel's call."""
        parts = self.x, self.y, epilogue, self.weight, self.bias, tile
        return self.lower(*parts)(self.batch)

    def outputs(self, epilogue=PLAIN, tile=None, activation=0, ranges=None, kept=False):
        """The memory that the kernel wrote."""
        x, y = memory_of(self.x, self.images[:, None, None]), blank_of(self.y, self.batch)
        run(self.call(epilogue, tile), x, y, ranges, activation, kept)
        return y

    def vectors(self, memory: np.ndarray) -> np.ndarray:
        """The outputs in such memory, [n, o]."""
        return cells(self.y, memory, self.batch)[:, 0, 0]

    def multiplied(self) -> np.ndarray:
        """The weight that images are multiplied by."""
        return self.weight

    def check(self, y: np.ndarray) -> None:
        """Assert that `y` holds the right numbers, and nothing else was written."""
        parts = self.images, self.multiplied(), self.bias
        images, weight, bias = (a.astype(float) for a in parts)
        error = abs(self.vectors(y) - images @ weight.T - bias)
        magnitude = abs(images) @ abs(weight).T + abs(bias)
        assert (error <= bound(images.shape[1] + 1 + self.roundings, magnitude)).all()
        assert (outside(self.y, y, self.batch) == UNTOUCHED).all()
