"""
The errors of the shipped specs against the float64 reference, fast and strict.

python -m benchmarks.accuracy [SPEC ...]   prints the table of docs/numerics.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

import cnndsl
from benchmarks.unit_variance import unit_variance_weights
from cnndsl.backends.reference.evaluate import evaluate_all
from cnndsl.cli.expectations import REFERENCE, Expectation, channels_last, compilation_of
from cnndsl.cli.row_errors import RowError, output_errors, row_errors
from cnndsl.resources import shipped_specs
from cnndsl.types import NUMERICS


def main(specs: Sequence[str]) -> None:
    print("| spec | Winograd rows | fast: output | worst row | strict: output | worst row |")
    print("|---|---|---|---|---|---|")
    for spec in specs:
        (fast, whole), (strict, whole_strict) = errors(spec)
        winograd = sum("conv_winograd" in " ".join(row.kernels) for row in fast)
        cells = (whole, worst(fast), whole_strict, worst(strict))
        numbers = " | ".join(f"{error:.1e}" for error in cells)
        print(f"| {spec} | {winograd} of {len(fast)} | {numbers} |", flush=True)


def errors(spec: str) -> list[tuple[list[RowError], float]]:
    """
    Each row's error and the worst output's, for one random image. Fast, then strict.

    Both compute the same rewritten graph, so the reference, which takes longest, computes it once.
    """
    network, rng = cnndsl.parse(spec), np.random.default_rng(0)
    rows = network.signature.inputs.values()
    inputs = tuple(rng.standard_normal((1, *row.array_shape), np.float32) for row in rows)
    images = [channels_last(x, row.layout) for x, row in zip(inputs, rows, strict=True)]
    weights = unit_variance_weights(network, 0, images)
    models = [cnndsl.compile(network, weights, numerics=numerics) for numerics in NUMERICS]
    graph = compilation_of(models[0]).graph
    values = evaluate_all(graph, weights, images)
    expected = Expectation(values, tuple(values[name] for name in graph.outputs), REFERENCE)
    return [
        (
            list(row_errors(model, inputs, expected)),
            max(output_errors(model, inputs, expected).values()),
        )
        for model in models
    ]


def worst(rows: Sequence[RowError]) -> float:
    return max(row.error for row in rows)


if __name__ == "__main__":
    main(sys.argv[1:] or shipped_specs())
