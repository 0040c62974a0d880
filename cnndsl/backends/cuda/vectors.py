"""How many warps share the inputs of a dense layer of a few images, and the launch that follows."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.shapes.dense_vector import (
    LANES,
    OUTPUTS,
    DenseVectorShape,
    Form,
    VectorTile,
    lane_inputs,
)

IMAGES = (1, 2, 4, 8)
"""How many images a block may have. Of more than the last, weights are better read by tiles."""

_WARPS_OF_BLOCK = 8
_WARPS_OF_PROCESSOR = 16  # that keep memory busy; a guess, nothing has been measured yet


@dataclass(frozen=True, slots=True)
class VectorLaunch:
    """A dense layer, as a convolution of 1x1 images, and how blocks share it."""

    dense: Convolution
    tile: VectorTile

    @property
    def grid(self) -> tuple[int, int, int]:
        """Blocks along the outputs, and along the images."""
        outputs = ceil(self.dense.out_maps / (OUTPUTS * self.tile.teams))
        return outputs, ceil(self.dense.images / self.tile.images), 1

    def fields(self, adds: bool = False, alpha: float = 0.0, beta: float = 0.0) -> DenseVectorShape:
        """What the kernel is told: whether it adds a shortcut, and its activation's numbers."""
        d, each = self.dense, LANES * lane_inputs(self.tile.form)
        words = ceil(d.in_maps / each) * each // self.tile.factors
        return DenseVectorShape(
            images=d.images,
            inputs=d.in_maps,
            outputs=d.out_maps,
            x_image=d.x.image,
            y_image=d.y.image,
            panel=words * OUTPUTS,
            adds=int(adds),
            alpha=alpha,
            beta=beta,
        )


def as_dense(convolution: Convolution) -> Convolution | None:
    """
    The dense layer that a convolution is if its window is the whole image, which has no gaps.

    >>> x, y = Strides.dense((5, 5), 16), Strides.dense((1, 1), 120)
    >>> conv = Convolution(2, (5, 5), (1, 1), 16, 120, x, y, (5, 5))
    >>> dense = as_dense(conv)
    >>> dense.in_maps, dense.x.image, dense.image
    (400, 400, (1, 1))
    """
    c = convolution
    is_whole = c.image == c.kernel and c.size == c.dilation == (1, 1) and c.padding == (0, 0)
    if not is_whole or c.groups > 1 or (c.x.row, c.x.pixel) != (c.image[1] * c.in_maps, c.in_maps):
        return None
    inputs = c.image[0] * c.image[1] * c.in_maps
    x = Strides(c.x.image, inputs, inputs, c.x.start)
    return Convolution(c.images, (1, 1), (1, 1), inputs, c.out_maps, x, c.y)


def suits_vectors(convolution: Convolution) -> bool:
    """
    Whether a convolution is a dense layer of so few images.

    >>> rows = [Convolution(n, (1, 1), (1, 1), 8, 8, *[Strides(8, 8, 8)] * 2) for n in (8, 9)]
    >>> [suits_vectors(row) for row in rows]
    [True, False]
    """
    return convolution.images <= IMAGES[-1] and as_dense(convolution) is not None


def choose_vectors(dense: Convolution, gpu: Gpu, form: Form = "float32") -> VectorLaunch:
    """
    The smallest teams that keep the GPU's memory busy.

    They do not depend on the number of images, so that an image has the same bits alone as among
    the few others that such a batch may have.
    """
    images = next((n for n in IMAGES if n >= dense.images), IMAGES[-1])
    vector = 4 if dense.in_maps % 4 == 0 and dense.x.divide_by(4) else 1
    block = 1 if gpu.simulated else _WARPS_OF_BLOCK
    chunks = ceil(dense.in_maps / (LANES * lane_inputs(form)))
    teams = ceil(dense.out_maps / OUTPUTS)
    warps = 1
    while 2 * warps <= min(block, chunks) and warps * teams < gpu.processors * _WARPS_OF_PROCESSOR:
        warps *= 2
    return VectorLaunch(dense, VectorTile(images, warps, block // warps, form, vector))
