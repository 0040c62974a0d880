"""
The cost model beside this machine: every convolution of some specs, estimated and measured.

    python -m benchmarks.model                 # all shipped specs: some minutes
    python -m benchmarks.model alexnet vgg16
    python -m benchmarks.model alexnet --batch 16

On one thread, weights from memory. A line each where several algorithms compute the same;
below, how far the estimates are off, and how often the model would choose what is the fastest here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.command import parser_of
from cnndsl.api import parse
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.conv_choice import ConvChooser
from cnndsl.backends.cpu.helpers import shared_helpers
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.candidates import ConvWork, allowed
from cnndsl.backends.cpu.measuring import measure
from cnndsl.backends.cpu.strategy import conv_work
from cnndsl.backends.cpu.times import Seconds, Times
from cnndsl.cli.arguments import positive
from cnndsl.ir.infer import infer_types, operand_types
from cnndsl.passes.pipeline import optimised
from cnndsl.resources import shipped_specs
from cnndsl.types import Options

ABOUT_AS_FAST = 1.03
"""By how much a choice may be slower than the fastest and be right: measurements spread so much."""


@dataclass(frozen=True, slots=True)
class Compared:
    """
    A convolution: what the model estimates and what was measured, by algorithm, in seconds.

    `margins` are how many times as fast as others each must promise to be.
    """

    work: str
    estimated: Seconds
    margins: Mapping[str, float]
    measured: Seconds

    @property
    def chosen(self) -> str:
        """What the model chooses."""
        return min(self.estimated, key=lambda k: self.margins[k] * self.estimated[k])

    @property
    def loss(self) -> float:
        """How many times as long the model's choice takes as the fastest."""
        return self.measured[self.chosen] / min(self.measured.values())

    def __str__(self) -> str:
        figures = [
            f"{kernel} {1e6 * self.estimated[kernel]:.1f} / {1e6 * self.measured[kernel]:.1f}"
            for kernel in self.measured
        ]
        return f"{self.loss:5.2f}  {', '.join(figures)}  {self.work}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    args = _parser().parse_args(argv)
    roof = CpuBackend().roof(1)
    print(f"roof: {roof.gflops:.1f} GFLOP/s, {roof.gigabytes:.1f} GB/s")
    chooser = ConvChooser(Options(batch=args.batch), Times(roof=roof))
    print("loss   estimated / measured microseconds an image of each algorithm, and of what")
    compared: list[Compared] = []
    for work in works_of(args.specs):
        compared.append(compare(work, chooser))
        if len(compared[-1].measured) > 1:
            print(compared[-1], flush=True)
    print("\n".join(summary(compared)))
    return 0


def works_of(specs: Iterable[str]) -> list[ConvWork]:
    """The convolutions of some specs, each once."""
    found: dict[str, ConvWork] = {}
    for spec in specs:
        graph = optimised(parse(spec).ir)
        types = infer_types(graph)
        for node in graph.nodes:
            work = conv_work(node, operand_types(node, types))
            if work is not None:
                found[work.name] = work
    return list(found.values())


def compare(work: ConvWork, chooser: ConvChooser) -> Compared:
    """One convolution by each algorithm that may compute it."""
    batch = chooser.options.batch
    found = allowed(work, "fast")
    return Compared(
        work.name,
        estimated={c.kernel: chooser.estimate(work, c) for c in found},
        margins={c.kernel: c.margin for c in found},
        measured=measure(work, batch, shared_library(), shared_helpers()),
    )


def summary(compared: Sequence[Compared]) -> list[str]:
    """How good the estimates and the choices are."""
    lines: list[str] = []
    for kernel in dict.fromkeys(kernel for each in compared for kernel in each.measured):
        ratios = [
            c.estimated[kernel] / c.measured[kernel] for c in compared if kernel in c.measured
        ]
        off = np.exp(np.abs(np.log(ratios))) - 1
        half, most = np.quantile(off, [0.5, 0.9])
        lines.append(
            f"{kernel}: {len(ratios)} shapes, estimates off by {half:.0%} (median), "
            f"{most:.0%} (nine of ten are better)"
        )
    choices = [each for each in compared if len(each.measured) > 1]
    right = sum(each.loss <= ABOUT_AS_FAST for each in choices)
    taken = sum(each.measured[each.chosen] for each in choices)
    least = sum(min(each.measured.values()) for each in choices)
    lines.append(f"choices: {right} of {len(choices)} are the fastest within 3%")
    if choices:
        lines.append(f"all of them take {taken / least - 1:.2%} longer than the fastest would")
    return lines


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("model", __doc__)
    parser.add_argument("specs", metavar="SPEC", nargs="*", default=shipped_specs())
    parser.add_argument(
        "--batch", metavar="N", type=positive, default=1, help="images a call (default: 1)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
