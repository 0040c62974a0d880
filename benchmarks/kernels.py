"""
Convolution and dense kernels on layers of known networks, each beside the machine's roof.

    python -m benchmarks.kernels

One core, one kernel call, everything warm but what no cache can hold. `effective` counts the plain
convolution's operations, also where Winograd's kernel does fewer.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np

from cnndsl.backends.cpu.addresses import aligned_floats
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.compile import compile_kernel
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.call import Call, Lowered
from cnndsl.backends.cpu.lowering.conv_depthwise import lower_conv_depthwise
from cnndsl.backends.cpu.lowering.conv_direct import lower_conv_direct
from cnndsl.backends.cpu.lowering.conv_planar import fits_planar, lower_conv_planar
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv, lower_conv_winograd
from cnndsl.backends.cpu.lowering.dense import lower_dense
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.winograd_ways import winograd_ways
from cnndsl.backends.cpu.program import assemble
from cnndsl.backends.cpu.program_layout import FIELDS, KERNEL, LEAST_SCRATCH
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

CONVOLUTIONS = {
    "AlexNet C1": ConvShape((55, 55), 3, 96, (11, 11), (4, 4)),
    "AlexNet C3": ConvShape((27, 27), 96, 256, (5, 5), padding=(2, 2)),
    "AlexNet C6": ConvShape((13, 13), 384, 384, (3, 3), padding=(1, 1)),
    "VGG-16 first": ConvShape((224, 224), 3, 64, (3, 3), padding=(1, 1)),
    "VGG-16 56x56": ConvShape((56, 56), 256, 256, (3, 3), padding=(1, 1)),
    "VGG-16 14x14": ConvShape((14, 14), 512, 512, (3, 3), padding=(1, 1)),
    "ResNet stem": ConvShape((112, 112), 3, 64, (7, 7), (2, 2), (3, 3)),
    "ResNet 1x1": ConvShape((28, 28), 512, 128, (1, 1)),
    "ResNet 3x3/2": ConvShape((28, 28), 128, 128, (3, 3), (2, 2), (1, 1)),
    "ResNet 7x7": ConvShape((7, 7), 512, 512, (3, 3), padding=(1, 1)),
    "LeNet C1": ConvShape((28, 28), 1, 6, (5, 5), padding=(2, 2)),
    "LeNet C3": ConvShape((10, 10), 6, 16, (5, 5)),
    "depthwise 56x56": ConvShape((56, 56), 128, 128, (3, 3), padding=(1, 1), groups=128),
}
DENSE = {"AlexNet F9": (9216, 4096), "AlexNet Out": (4096, 1000), "LeNet F6": (120, 84)}
BATCHES = (1, 16)


@dataclass(frozen=True, slots=True)
class Case:
    """One kernel call, and what it costs at least: operations, and floats read once."""

    name: str
    lowered: Lowered
    x: int
    y: int
    batch: int
    macs: int
    weights: int


def cases() -> Iterator[Case]:
    """Every layer with every kernel that computes it."""
    rng = np.random.default_rng(0)
    for name, shape in CONVOLUTIONS.items():
        weight = rng.standard_normal(
            (shape.out_maps, shape.group_in, *shape.kernel), np.float32
        ) / np.float32(sqrt(shape.reduction))
        bias = rng.standard_normal(shape.out_maps, np.float32)
        y = Buffer("y", (*shape.size, shape.out_maps), "output")
        for lower, halo in _ways(shape):
            image = _input_size(shape, halo)
            x = Buffer("x", (*image, shape.in_maps), "input", halo=halo)
            lowered = lower(shape, x, y, Epilogue(low=0.0), weight, bias)
            yield Case(name, lowered, x.image_stride, y.image_stride, 1, shape.macs, weight.size)
    for name, (inputs, outputs) in DENSE.items():
        weight = rng.standard_normal((outputs, inputs), np.float32) / np.float32(sqrt(inputs))
        x, y = Buffer("x", (inputs,), "input"), Buffer("y", (outputs,), "output")
        lowered = lower_dense(x, y, Epilogue(low=0.0), weight, None)
        for batch in BATCHES:
            yield Case(
                f"{name} x{batch}", lowered, inputs, outputs, batch, prod(weight.shape), weight.size
            )


def run() -> None:
    """Measure and print all cases."""
    roof = CpuBackend().roof(1)
    print(f"roof: {roof.gflops:.1f} GFLOP/s, {roof.gigabytes:.1f} GB/s")
    print(f"{'layer':18}{'kernel':26}{'us':>10}{'effective GFLOP/s':>19}{'GB/s':>7}{'of roof':>9}")
    kernels: dict[Kernel, None] = {}
    for case in cases():
        call = case.lowered(case.batch)
        kernels[call.kernel] = None
        seconds = best_time(_caller(call, case), 5 if case.macs * case.batch > 10**7 else 300)
        flops, floats = 2 * case.macs * case.batch, case.weights
        share = roof.least_seconds(flops, 4 * floats) / seconds
        print(
            f"{case.name:18}{call.kernel.name:26}{seconds * 1e6:10.1f}{flops / seconds / 1e9:19.1f}"
            f"{4 * floats / seconds / 1e9:7.1f}{share:9.0%}",
            flush=True,
        )
    for kernel in kernels:
        start = time.process_time()
        compile_kernel(kernel)
        print(f"{kernel.name:26} compiles in {time.process_time() - start:.2f} s")


def best_time(function: Callable[[], None], runs: int) -> float:
    """The least seconds of processor time of `runs` calls; the time of others does not count."""
    best = float("inf")
    for _ in range(runs):
        start = time.thread_time()
        function()
        best = min(best, time.thread_time() - start)
    return best


def _ways(shape: ConvShape):
    top, left = shape.padding
    plain = top, top, left, left
    if shape.groups > 1:
        return [(lower_conv_depthwise, plain)]
    ways = [(lower_conv_direct, plain)]
    if fits_planar(shape, Target.host()):
        ways.append((lower_conv_planar, plain))
    for way in winograd_ways(shape, Target.host()):
        ways.append((partial(_lower_winograd, way), way.halo(_input_size(shape, plain))))
    return ways


def _lower_winograd(way: WinogradConv, shape: ConvShape, *operands: Any) -> Lowered:
    return lower_conv_winograd(way, *operands)


def _input_size(shape: ConvShape, halo: tuple[int, int, int, int]) -> tuple[int, int]:
    """The size of an input without a halo; Winograd's halo may be wider at the end."""
    height, width = (
        (out - 1) * stride + (kernel - 1) * dilation + 1 - 2 * padding
        for out, stride, kernel, dilation, padding in zip(
            shape.size, shape.stride, shape.kernel, shape.dilation, shape.padding, strict=True
        )
    )
    return height, width


def _caller(call: Call, case: Case) -> Callable[[], None]:
    """A function that runs all units of a call once."""
    program = assemble([call], 0, shared_library())
    x, y = aligned_floats(case.x * case.batch), aligned_floats(case.y * case.batch)
    x[:] = np.random.default_rng(1).standard_normal(x.size, np.float32)
    room = max(program.scratch, LEAST_SCRATCH)
    scratch, table = aligned_floats(room), program.table.reshape(-1).copy()
    table[[moved.field for moved in program.moved["input"]]] += x.ctypes.data
    table[[moved.field for moved in program.moved["output"]]] += y.ctypes.data
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(int(table[KERNEL]))
    arguments = table[FIELDS:].ctypes.data, 0, call.units, scratch.ctypes.data
    keep = program, x, y, scratch, table

    def once() -> None:
        scratch[:LEAST_SCRATCH] = 0.0  # the note of what is prepared
        function(*arguments)
        assert keep

    return once


if __name__ == "__main__":
    run()
