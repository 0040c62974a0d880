"""
Dense layers of a few images: each weight is read once, as fast as memory gives it.

A team of warps computes `OUTPUTS` outputs of some images. The lanes of a warp stride along the
inputs, each with a few neighbours; what they have added up is added in the end. So an output has
the same bits for any number of images.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Form = Literal["float32", "float16", "bfloat16"]
"""How weights are kept. x and all arithmetic are float32."""

LANES = 32
OUTPUTS = 4
WORDS = 4  # of an output that a lane loads at a time


class DenseVectorShape(NamedTuple):
    """
    A dense layer. `panel` leads from the packed weights of `OUTPUTS` outputs to the next ones'.

    `x_image` and `y_image` lead from one image's vector to the next one's. `addend` has the strides
    of y; it is read where `adds` is 1.
    """

    images: int
    inputs: int
    outputs: int
    x_image: int
    y_image: int
    panel: int
    adds: int
    alpha: float
    beta: float


class VectorTile(NamedTuple):
    """
    What a block computes: `teams` times `OUTPUTS` outputs of `images` images.

    `warps` are a team. `vector` inputs of x are loaded at a time, 4 or 1.
    """

    images: int
    warps: int
    teams: int
    form: Form = "float32"
    vector: int = 4

    @property
    def factors(self) -> int:
        """Weights that share a word."""
        return lane_inputs(self.form) // WORDS

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return LANES * self.warps * self.teams

    @property
    def sums(self) -> int:
        """Sums of a team."""
        return OUTPUTS * self.images

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory: the sums of all warps."""
        return 4 * self.warps * self.teams * self.sums


def lane_inputs(form: Form) -> int:
    """Inputs that a lane takes at a time."""
    return WORDS * (1 if form == "float32" else 2)
