"""What a model's fewer bits of dense weights change, beside the same model with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.cli.expectations import Inputs
from cnndsl.cli.row_errors import relative_error
from cnndsl.compiler import Compilation
from cnndsl.model import Model

IMAGES = 64
"""Random images that are classified twice, where none are given."""
FEW = 5
"""Classes among which the best one is looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """
    Of so many images the same network's outputs twice, with all bits and with fewer.

    `error` is the largest difference over the largest value, in the worst output. Of the images,
    `same_best` have the same best class, and `best_in_five` have the class that was best among
    their best five; None where the first output is no list of classes.
    """

    images: int
    error: float
    same_best: int | None
    best_in_five: int | None

    def __str__(self) -> str:
        text = f"beside float32 weights, {self.images} images: output off by {self.error:.1e}"
        if self.same_best is None or self.best_in_five is None:
            return text
        return (
            f"{text}; best class the same in {self._share(self.same_best)}, "
            f"among the best five in {self._share(self.best_in_five)}"
        )

    def _share(self, count: int) -> str:
        return f"{count} ({count / self.images:.1%})"


def narrowing_change(model: Model, inputs: Inputs) -> Change:
    """Compare a model with itself on float32 weights, image by image."""
    exact = replace(model.options, dense_weights="float32")
    compilation = Compilation(model.network, model.target, exact)
    whole = compilation.executable(model.weights, model.threads)
    # One by one, whatever the number: the memory of a batch is not needed.
    images = [tuple(x[i : i + 1] for x in inputs) for i in range(len(inputs[0]))]
    wanted = _whole([whole(image) for image in images])
    found = _whole([model.outputs_of(*image) for image in images])
    same, near = (None, None)
    if wanted[0].ndim == 2:
        first = next(iter(model.signature.outputs.values()))
        best, *_ = _ranked(wanted[0], first.best).T
        ranked = _ranked(found[0], first.best)[:, :FEW]
        same = int((ranked[:, 0] == best).sum())
        near = int((ranked == best[:, None]).any(1).sum())
    error = max(map(relative_error, found, wanted))
    return Change(len(images), error, same, near)


def _whole(outputs: Sequence[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    """Each output of all images."""
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def _ranked(y: NDArray[Any], best: str) -> NDArray[np.intp]:
    """The classes of each image, the best first."""
    return np.argsort(y if best == "min" else -y, 1, kind="stable")
