"""docs/numerics.md has the errors of every shipped spec, measured where errors can be seen."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import errors
from benchmarks.unit_variance import unit_variance_weights
from cnndsl.backends.reference.evaluate import evaluate_all
from cnndsl.frontend.load import load_network
from cnndsl.resources import shipped_specs
from cnndsl.source import Source

PAGE = Path(__file__).parent.parent / "docs" / "numerics.md"

TEXT = """cnn 1
network Deep

layer  type       maps  size   kernel  padding  norm         activation
In     input      3     12x12
C1     conv       16    12x12  3x3     same     -            relu
C2     conv       16    12x12  3x3     same     batch(1e-5)  relu
S3     separable  16    12x12  3x3     same     -            relu
Out    dense      20    -      -       -        -            softmax
"""


def test_every_shipped_spec_is_on_the_page():
    table = PAGE.read_text("utf-8").partition("| Winograd rows |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert rows == shipped_specs()


def test_values_neither_vanish_nor_grow_and_the_softmax_is_certain_of_nothing():
    network = load_network(Source("deep.cnn", TEXT))
    images = [np.random.default_rng(0).standard_normal((1, 12, 12, 3), np.float32)]
    weights = unit_variance_weights(network, 0, images)
    values = evaluate_all(network.ir, weights, images)
    for name in ("C1", "C2", "S3", "Out"):
        assert 2**-0.5 <= values[name].std() <= 2**0.5
    norm = values["C2.norm"]
    np.testing.assert_allclose(norm.mean((0, 1, 2)), weights["C2.norm.bias"], atol=1e-6)
    assert values["Out.softmax"].max() < 0.7


@pytest.mark.cache
def test_the_rows_of_a_spec_are_as_exact_as_float32():
    for rows, output in errors("lenet5"):
        assert 0 < output < 1e-6
        assert all(row.error < 1e-5 for row in rows)
