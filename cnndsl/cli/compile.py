"""`cnndsl compile`: a table and its weights as one file, and every stage on the way."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnndsl.cli.arguments import (
    STDIN,
    add_batch,
    add_format,
    add_limits,
    add_spec,
    limits_of,
    options_of,
    output_file,
)
from cnndsl.cli.choices import tune
from cnndsl.cli.models import add_machine, add_weights, compile_network
from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.compiler import STAGES, Compilation
from cnndsl.limits import format_bytes

EPILOG = """\
examples:
  cnndsl compile lenet5.cnn --weights lenet5.safetensors -o lenet5.cnnm
  cnndsl compile alexnet --seed 0
  cnndsl compile alexnet --emit plan
  cnndsl compile alexnet --seed 0 --tune

The file holds the table, the weights and the labels, and no machine code: kernels are compiled
once a machine and kept in the user's cache. Nor does it hold the choices that the options make, of
--batch and others: what opens it takes them too. What they are good for here is --emit and --tune.

--tune measures, in a process of its own, every convolution that several algorithms can compute, for
--batch images on one thread; what it finds is kept for this machine and for all networks that have
such convolutions, and from then on decides instead of the cost model. `cnndsl explain` shows
both."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `compile` takes."""
    add_spec(parser)
    add_weights(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=output_file,
        help="the compiled model (default: SPEC's name, .cnnm)",
    )
    parser.add_argument("--emit", choices=STAGES, help="print a stage of the compilation instead")
    parser.add_argument(
        "--tune", action="store_true", help="first measure by which algorithm each row is fastest"
    )
    add_batch(parser)
    add_machine(parser)
    add_format(parser)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Compile and write the model, or print a stage."""
    network = load_spec(args.spec, limits_of(args))
    terminal.report(network.warnings, args.format)
    if args.tune:
        done = tune(Compilation(network, args.target, options_of(args, args.batch)), terminal)
        terminal.note(f"convolutions with a choice: {done.measured} measured, {done.known} known")
    if args.emit is not None:
        compilation = Compilation(network, args.target, options_of(args, args.batch))
        terminal.write(f"{compilation.emit(args.emit).rstrip()}\n")
        if args.output is None:
            return 0
    model = compile_network(args, args.spec, network, args.batch)
    path = Path(args.output or _default_output(args.spec, network.name))
    model.save(path)
    terminal.note(f"{path}: {format_bytes(path.stat().st_size)}, {network.params:,} parameters")
    return 0


def _default_output(spec: str, network: str) -> str:
    stem = network if spec == STDIN else Path(spec).stem
    return f"{stem}.cnnm"
