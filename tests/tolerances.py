"""How far float32 results may be from the float64 reference."""

import numpy as np

EPSILON = 2.0**-23


def bound(terms: int, magnitude: np.ndarray) -> np.ndarray:
    """
    The error allowed in a sum of `terms` products: `terms * EPSILON * magnitude`.

    `magnitude` is the same sum of the absolute values. Any order of summation, with or without
    fused multiply-adds, stays within half of it (Higham, Accuracy and Stability, section 3.1).
    """
    return terms * EPSILON * magnitude
