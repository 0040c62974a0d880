"""Models that the command line names: compiled files, or tables with weights."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.cli.arguments import (
    COMPILED,
    add_dense_weights,
    add_numerics,
    add_precision,
    limits_of,
    positive,
    positives,
    whole,
)
from cnndsl.errors import CnnError, WeightsError
from cnndsl.resources import resource, shipped_specs
from cnndsl.targets import TARGETS

if TYPE_CHECKING:  # see `open_model`
    from cnndsl.ir.network import Network
    from cnndsl.model import Model


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Where the weights come from."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--weights", metavar="FILE", help="a safetensors file, or shipped weights' name"
    )
    source.add_argument(
        "--seed", metavar="N", type=whole, help="draw random weights instead, He-initialised"
    )


def add_machine(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """What runs the network. `several`: numbers of threads to try, separated by commas."""
    parser.add_argument(
        "--target", choices=TARGETS, default="cpu", help="what runs it (default: cpu)"
    )
    parser.add_argument(
        "--threads",
        metavar="N,..." if several else "N",
        type=positives if several else positive,
        help="the most threads of one call (default: all processors)",
    )
    add_numerics(parser)
    add_dense_weights(parser)
    add_precision(parser)


def weights_of(
    args: argparse.Namespace, spec: str, network: Network
) -> tuple[str | None, int | None]:
    """
    The file of weights and the seed that the arguments ask for.

    Where they ask for neither, the weights that are shipped with the spec of that name. Raises
    `WeightsError` where there are none.
    """
    if args.weights is not None or args.seed is not None or not network.params:
        return args.weights, args.seed
    shipped = shipped_weights(spec)
    if shipped is not None:
        return str(shipped), None
    raise WeightsError(
        f"{network.name} needs weights: {len(network.param_table)} tensors, "
        f"{network.params:,} numbers",
        fixes=["--weights FILE.safetensors", "--seed 0 draws random ones"],
    )


def shipped_weights(spec: str) -> Path | None:
    """The weights that are shipped with the spec of that name, if there are any."""
    if spec not in shipped_specs() or Path(spec).exists():
        return None
    shipped = resource("specs", "weights", f"{spec}.safetensors")
    return shipped if shipped.is_file() else None


def open_model(args: argparse.Namespace, batch: int) -> Model:
    """
    The model that `args.model` names: a compiled file, or a table with weights or a seed.

    Its algorithms are the fastest ones for calls of `batch` images.
    Raises `CnnError`.
    """
    # What opens a compiled model needs no parser and no graph, so its process starts sooner.
    if args.model.endswith(COMPILED):
        from cnndsl.loading import load

        if args.weights is not None or args.seed is not None:
            raise CnnError(f"{args.model} is compiled: it has its weights")
        return load(
            args.model,
            target=args.target,
            threads=args.threads,
            numerics=args.numerics,
            dense_weights=args.dense_weights,
            precision=args.precision,
            batch=batch,
        )

    from cnndsl.cli.specs import load_spec

    return compile_network(args, args.model, load_spec(args.model, limits_of(args)), batch)


def compile_network(args: argparse.Namespace, spec: str, network: Network, batch: int) -> Model:
    """The network of the table `spec`, with the weights and on the machine that are asked for."""
    from cnndsl.api import compile

    weights, seed = weights_of(args, spec, network)
    return compile(
        network,
        weights,
        seed=seed,
        target=args.target,
        threads=args.threads,
        numerics=args.numerics,
        dense_weights=args.dense_weights,
        precision=args.precision,
        batch=batch,
    )
