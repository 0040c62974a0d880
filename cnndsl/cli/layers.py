"""`cnndsl bench --layers`: where a network's time goes, and how near its steps are to the roof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cnndsl.backends.profiling import Bound, Profiler, Roof
from cnndsl.backends.protocol import Request
from cnndsl.cli.terminal import Terminal
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.model import Model
from cnndsl.plan.plan import COPY, ZERO_HALO, Step

_HEADINGS = ("row", "step", "kernel", "median ms", "share", "GFLOP/s", "GB/s", "of roof", "bound")
_NUMBERS = ("median ms", "share", "GFLOP/s", "GB/s", "of roof")
_FLOAT = 4  # bytes


@dataclass(frozen=True, slots=True)
class Work:
    """
    What a step has to do: operations, two for each multiply-accumulate, and bytes moved.

    The bytes are those of its weights, its operands and its result, each moved once.
    """

    flops: int
    bytes_moved: int


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of a plan, measured. `kernels` are the compiled functions that ran it."""

    row: str
    step: str
    kernels: tuple[str, ...]
    median_ms: float
    gflops: float
    gigabytes_per_second: float
    roof_percent: float
    bound: Bound

    def cells(self, total_ms: float) -> tuple[str, ...]:
        """The cells under `_HEADINGS`."""
        return (
            self.row,
            self.step,
            " ".join(self.kernels),
            f"{self.median_ms:.4f}",
            f"{100 * self.median_ms / total_ms:.1f}%",
            f"{self.gflops:.1f}" if self.gflops else "-",
            f"{self.gigabytes_per_second:.1f}",
            f"{self.roof_percent:.0f}%",
            self.bound,
        )


@dataclass(frozen=True, slots=True)
class LayerTimes:
    """All steps for one batch size on one number of threads; `median_ms` is of whole runs."""

    batch: int
    threads: int
    runs: int
    median_ms: float
    gflops: float
    roof: Roof
    steps: tuple[StepTime, ...]


def measure_layers(model: Model, batches: Sequence[int], seconds: float) -> list[LayerTimes]:
    """
    Time each step of a model's plan for several batch sizes, after measuring the machine's roof.

    Raises `TargetError` for a target without a plan, or without a clock.
    """
    network, threads = model.network, model.threads
    compilation = Compilation(network, model.target, model.options)
    profiler = compilation.backend
    if not isinstance(profiler, Profiler):
        raise TargetError(
            f"the target {model.target} does not say how long its steps take",
            code="E702",
            fixes=["the target cpu, or no --layers"],
        )
    plan = compilation.plan
    roof = profiler.roof(threads)
    timer = profiler.step_timer(Request(plan, model.weights, threads))
    measured: list[LayerTimes] = []
    for batch in batches:
        rng = np.random.default_rng(0)
        images = tuple(rng.random((batch, *x), np.float32) for x in model.inputs.values())
        times = timer.times(images, seconds)
        median_ms = float(np.median(times.sum(1)) * 1e3)
        facts = zip(plan.steps, timer.kernels(batch), np.median(times, 0), strict=True)
        measured.append(
            LayerTimes(
                batch=batch,
                threads=threads,
                runs=len(times),
                median_ms=median_ms,
                gflops=2e-6 * network.macs * batch / median_ms,
                roof=roof,
                steps=tuple(
                    _step_time(step, work_of(step, batch), roof, kernels, float(median))
                    for step, kernels, median in facts
                ),
            )
        )
    return measured


def print_layers(measured: Sequence[LayerTimes], terminal: Terminal) -> None:
    """A table for each, under what was measured and above what it sums up to."""
    for times in measured:
        if times is not measured[0]:
            terminal.say("")
        roof = times.roof
        terminal.say(
            f"batch {times.batch}, threads {times.threads}, {times.runs} runs; "
            f"roof {roof.gflops:.1f} GFLOP/s, {roof.gigabytes:.1f} GB/s"
        )
        rows = [step.cells(times.median_ms) for step in times.steps]
        terminal.table(_HEADINGS, rows, _NUMBERS)
        terminal.say(f"whole: {times.median_ms:.4f} ms, {times.gflops:.1f} GFLOP/s")


def work_of(step: Step, batch: int) -> Work:
    """What a step has to do for a batch of that size."""
    if step.kernel == ZERO_HALO:
        halo = step.y.image_stride - prod(step.y.shape)
        return Work(0, batch * halo * _FLOAT)
    images = sum(prod(buffer.shape) for buffer in (*step.x, step.y))
    if step.kernel == COPY:
        return Work(0, batch * images * _FLOAT)
    weights = sum(prod(param.shape) for param in step.op.params(*step.operands))
    return Work(2 * batch * step.op.macs(*step.operands), (weights + batch * images) * _FLOAT)


def _step_time(
    step: Step, work: Work, roof: Roof, kernels: tuple[str, ...], seconds: float
) -> StepTime:
    seconds = max(seconds, 1e-9)  # a clock may not have ticked while a step did nothing
    return StepTime(
        row=step.row,
        step=step.kernel,
        kernels=kernels,
        median_ms=seconds * 1e3,
        gflops=work.flops / seconds / 1e9,
        gigabytes_per_second=work.bytes_moved / seconds / 1e9,
        roof_percent=100 * roof.least_seconds(work.flops, work.bytes_moved) / seconds,
        bound=roof.bound(work.flops, work.bytes_moved),
    )
