"""Operators whose parameters can take up a factor and a summand behind them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnndsl.ops.base import Array, Op


class Rescalable(Op):
    """
    An operator that is linear in its weight and adds its bias, map by map.

    Its `weight` is `[out, ...]` unless it overrides `scaled_weight`.
    """

    def rescaled(self, params: Mapping[str, Array], scale: Array, shift: Array) -> dict[str, Array]:
        """
        Parameters that yield `y * scale + shift` where `params` yield y.

        `scale` and `shift` hold a number for each output map. A bias comes where there was none.
        """
        bias = params.get("bias")
        return {
            "weight": self.scaled_weight(params["weight"], scale),
            "bias": shift if bias is None else bias * scale + shift,
        }

    def scaled_weight(self, weight: Array, scale: Array) -> Array:
        """The weight that multiplies each output map by its factor."""
        return scaled(weight, scale.reshape(-1, *[1] * (weight.ndim - 1)))


def scaled(weight: Array, factors: Array) -> Array:
    """
    A weight times factors that are broadcast against it, in the weight's own type.

    Each product is rounded once from the wider type of the two; no array of that type is made.
    """
    return np.multiply(weight, factors, out=np.empty_like(weight), casting="same_kind")
