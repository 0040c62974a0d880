"""
The errors of the shipped specs against the float64 reference, fast and strict.

python -m benchmarks.accuracy [SPEC ...]   prints the table of docs/numerics.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

import cnndsl
from cnndsl.cli.expectations import REFERENCE, expectation
from cnndsl.cli.row_errors import RowError, output_errors, row_errors
from cnndsl.resources import shipped_specs
from cnndsl.types import NUMERICS


def main(specs: Sequence[str]) -> None:
    print("| spec | Winograd rows | fast: output | worst row | strict: output | worst row |")
    print("|---|---|---|---|---|---|")
    for spec in specs:
        (fast, whole), (strict, whole_strict) = errors(spec)
        winograd = sum("conv_winograd" in row.kernels for row in fast)
        cells = (whole, worst(fast), whole_strict, worst(strict))
        numbers = " | ".join(f"{error:.1e}" for error in cells)
        print(f"| {spec} | {winograd} of {len(fast)} | {numbers} |", flush=True)


def errors(spec: str) -> list[tuple[list[RowError], float]]:
    """
    Each row's error and the worst output's, for seeded weights and one random image.

    Fast, then strict: the reference is the same, and takes longest.
    """
    models = [cnndsl.compile(spec, seed=0, numerics=numerics) for numerics in NUMERICS]
    rng = np.random.default_rng(0)
    inputs = tuple(rng.standard_normal((1, *x), np.float32) for x in models[0].inputs.values())
    expected = expectation(REFERENCE, models[0], inputs)
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
