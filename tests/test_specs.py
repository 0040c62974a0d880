"""The shipped specs have the sizes and the counts of the publications that they are taken from."""

import pytest

from cnndsl.frontend.load import load_network, read_source
from cnndsl.ir.network import Network
from cnndsl.resources import resource, shipped_specs


def spec(name: str) -> Network:
    return load_network(read_source(resource("specs", f"{name}.cnn")))


@pytest.mark.parametrize("name", shipped_specs())
def test_a_shipped_spec_has_no_findings(name):
    assert spec(name).warnings == ()


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("lenet5", 61_696, 416_520),
        ("lenet5_1998", 60_840, 328_096),
        ("alexnet", 62_378_344, 1_135_256_096),
        ("alexnet_2012", 60_965_224, 724_406_816),
        ("fashion_mnist", 1_413_834, 89_466_496),
    ],
)
def test_a_shipped_spec_costs_what_its_source_says(name, params, macs):
    network = spec(name)
    assert (network.params, network.macs) == (params, macs)


def test_lenet_of_1998_has_60_000_trainable_parameters():
    network = spec("lenet5_1998")
    assert network.trainable_params == 60_000
    assert [facts.params for facts in network] == [0, 156, 12, 1_516, 32, 48_120, 10_164, 840]


def test_lenet_of_1998_connects_c3_by_table_i():
    op = spec("lenet5_1998")["C3"].op
    table = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345"
    assert op.connect == tuple(tuple(map(int, maps)) for maps in table.split())


def test_alexnet_normalises_over_three_maps_as_the_printed_formula_does():
    window = spec("alexnet")["N1"].op.neighbours()
    assert (window.lower, window.upper, window.scale) == (1, 1, 2e-5)


def test_alexnet_of_2012_normalises_over_five_maps():
    window = spec("alexnet_2012")["N1"].op.neighbours()
    assert (window.lower, window.upper, window.scale) == (2, 2, 1e-4)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("lenet5", [(32, 32, 1), (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (1, 1, 120)]),
        ("alexnet", [(227, 227, 3), (55, 55, 96), (55, 55, 96), (27, 27, 96), (27, 27, 256)]),
        ("fashion_mnist", [(28, 28, 1), (28, 28, 64), (14, 14, 64), (14, 14, 128)]),
    ],
)
def test_a_row_has_the_shape_that_the_book_prints(name, shapes):
    assert [facts.shape for facts in spec(name)][: len(shapes)] == shapes
