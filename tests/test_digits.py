"""LeNet-5 with the shipped weights reads real digits that its training never saw."""

from pathlib import Path

import numpy as np
import pytest

import cnndsl

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.cache
def test_lenet5_reads_at_least_98_percent_of_the_held_out_digits():
    held_out = np.load(EXAMPLES / "heldout_digits.npz")
    model = cnndsl.compile("lenet5", weights="lenet5")
    distances = model(cnndsl.preprocess(held_out["images"], model.network))
    read = np.argmin(distances, axis=1)
    right = np.count_nonzero(read == held_out["labels"])
    assert len(read) == 2000
    # The nearest two classes of any digit differ by 0.006 or more: no rounding changes the count.
    assert right == 1973


@pytest.mark.cache
def test_the_reference_reads_the_same_digits():
    images = np.load(EXAMPLES / "heldout_digits.npz")["images"][:200]
    net = cnndsl.parse("lenet5")
    x = cnndsl.preprocess(images, net)
    fast = cnndsl.compile(net, weights="lenet5")(x)
    exact = cnndsl.compile(net, weights="lenet5", target="reference")(x)
    np.testing.assert_allclose(fast, exact, rtol=2e-5, atol=2e-5)
