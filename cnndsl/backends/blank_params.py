"""Weights for the texts of a program, which are the same whatever the numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnndsl.plan.plan import COPY, ZERO_HALO, Step


def blank_params(step: Step) -> dict[str, NDArray[np.float32]]:
    """Zeros in the place of a step's weights, by the names of its operator's parameters."""
    if step.kernel in (COPY, ZERO_HALO):
        return {}
    params = step.op.params(*step.operands)
    blank = {param.name: np.zeros(param.shape, np.float32) for param in params}
    if step.folded and "bias" not in blank:  # what is folded in brings a bias
        blank["bias"] = np.zeros(step.y.image[2], np.float32)
    return blank
