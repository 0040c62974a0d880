"""A random convolution, for the tests of every kernel that computes one."""

import numpy as np
from cpu_kernel_driver import UNTOUCHED, blank_of, cells, memory_of, outside, run
from numpy.lib.stride_tricks import sliding_window_view
from tolerances import bound

from cnndsl.backends.cpu.lowering.conv_direct import lower_conv_direct
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

PLAIN = Epilogue()


class ConvProblem:
    """A random convolution, its memory, and what it must compute."""

    lowering = staticmethod(lower_conv_direct)

    def __init__(self, shape: ConvShape, batch: int, halo=(0, 0, 0, 0), seed: int = 0) -> None:
        self.shape, self.batch = shape, batch
        rng = np.random.default_rng(seed)
        height, width = (
            (out - 1) * stride + (kernel - 1) * dilation + 1
            for out, stride, kernel, dilation in zip(
                shape.size, shape.stride, shape.kernel, shape.dilation, strict=True
            )
        )
        top, left = shape.padding
        image = max(1, height - 2 * top), max(1, width - 2 * left), shape.in_maps
        x_halo = (top, max(0, height - top - image[0]), left, max(0, width - left - image[1]))
        self.x = Buffer("x", image, "input", halo=x_halo)
        self.y = Buffer("y", (*shape.size, shape.out_maps), "output", halo=halo)
        self.images = rng.standard_normal((batch, *image), np.float32)
        weights = (shape.out_maps, shape.group_in, *shape.kernel)
        self.weight = rng.standard_normal(weights, np.float32)
        self.bias = rng.standard_normal(shape.out_maps, np.float32)

    def lower(self, epilogue=PLAIN, how=None):
        """The lowered convolution, `how` being the lowering's tile or lanes."""
        return self.lowering(self.shape, self.x, self.y, epilogue, self.weight, self.bias, how)

    def outputs(
        self, epilogue=PLAIN, how=None, ranges=None, activation=0, kept=False, before=None
    ) -> np.ndarray:
        """The memory that the kernel wrote, whose cells held `before`."""
        call, y = self.lower(epilogue, how)(self.batch), blank_of(self.y, self.batch)
        if before is not None:
            cells(self.y, y, self.batch)[:] = before
        run(call, memory_of(self.x, self.images), y, ranges, activation, kept)
        return y

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """The float64 sum, and the sum of absolute values."""
        images, weight, bias = (a.astype(float) for a in (self.images, self.weight, self.bias))
        plain = self.sum_of(images, weight) + bias
        return plain, self.sum_of(abs(images), abs(weight)) + abs(bias)

    def sum_of(self, images: np.ndarray, weight: np.ndarray) -> np.ndarray:
        s = self.shape
        top, bottom, left, right = self.x.halo
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
        reach = [(k - 1) * d + 1 for k, d in zip(s.kernel, s.dilation, strict=True)]
        windows = sliding_window_view(padded, reach, (1, 2))[:, :: s.stride[0], :: s.stride[1]]
        windows = windows[:, : s.size[0], : s.size[1], :, :: s.dilation[0], :: s.dilation[1]]
        windows = windows.reshape(*windows.shape[:3], s.groups, s.group_in, *s.kernel)
        filters = weight.reshape(s.groups, s.group_out, s.group_in, *s.kernel)
        y = np.einsum("nijgcuv,gocuv->nijgo", windows, filters, optimize=True)
        return y.reshape(*y.shape[:3], s.out_maps)

    def check(self, y: np.ndarray) -> None:
        """Assert that `y` holds the right numbers, and nothing else was written."""
        want, magnitude = self.expected()
        error = abs(cells(self.y, y, self.batch) - want)
        assert (error <= bound(self.shape.reduction + 1, magnitude)).all()
        assert (outside(self.y, y, self.batch) == UNTOUCHED).all()
