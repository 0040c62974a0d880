"""
The published networks in `specs/` have the parameters and products of their publications.

Parameters are those that training changes, as papers, torchvision and Keras count them. Products
are multiply-accumulates in billions as torchvision prints them for its models (`GFLOPS`), which
count convolutions and dense layers, biases aside; others are the papers' own.
"""

import pytest

from cnndsl.frontend.load import load_network, read_source
from cnndsl.ir.network import Network
from cnndsl.resources import resource, shipped_specs

ZOO = {
    "vgg11": (132_863_336, "7.609"),
    "vgg16": (138_357_544, "15.470"),
    "vgg19": (143_667_240, "19.632"),
    "resnet18": (11_689_512, "1.814"),
    "resnet34": (21_797_672, "3.664"),
    "resnet50": (25_557_032, "4.089"),
    "resnet101": (44_549_160, "7.801"),
    "resnet152": (60_192_808, "11.514"),
    "resnext50": (25_028_904, "4.230"),
    "se_resnet50": (28_088_024, "4.092"),
    "squeezenet1_0": (1_248_424, "0.819"),
    "squeezenet1_1": (1_235_496, "0.349"),
    "googlenet": (6_998_552, "1.583"),
    "zfnet": (62_357_608, "1.168"),
    "nin": (966_986, "0.222"),
    "mobilenet_v1": (4_231_976, "0.569"),
    "mobilenet_v2": (3_504_872, "0.301"),
    "mobilenet_v3_large": (5_483_032, "0.217"),
    "mobilenet_v3_small": (2_542_856, "0.057"),
    "shufflenet": (1_865_728, "0.137"),
    "efficientnet_b0": (5_288_548, "0.386"),
    "inception_v3": (23_834_568, "5.713"),
    "xception": (22_855_952, "8.357"),
    "densenet121": (7_978_856, "2.834"),
    "fcn8s": (134_489_759, "181.529"),
    "unet": (31_030_658, "150.428"),
    "yolo_v1_tiny": (27_095_374, "1.608"),
    "yolo_v3_tiny": (8_852_366, "2.782"),
}
OTHERS = {"alexnet", "alexnet_2012", "fashion_mnist", "lenet5", "lenet5_1998"}
"""Counted in `test_specs`."""


def spec(name: str) -> Network:
    return load_network(read_source(resource("specs", f"{name}.cnn")))


@pytest.mark.parametrize("name", ZOO)
def test_a_published_network_costs_what_its_publication_says(name):
    network = spec(name)
    params, products = ZOO[name]
    assert (network.trainable_params, f"{network.macs / 1e9:.3f}") == (params, products)


def test_every_shipped_spec_is_counted():
    assert {*ZOO, *OTHERS} == set(shipped_specs())


@pytest.mark.parametrize("name", ZOO)
def test_every_image_size_of_the_network_s_own_table_is_claimed(name):
    network = spec(name)
    rows = [row for row in (*network.rows, *network.blocks) if "." not in row.name]
    images = [row for row in rows if network[row.name].type.is_image]
    assert [row.name for row in images if "size" not in row.cells] == []


def test_the_stages_of_a_residual_network_have_the_sizes_of_its_table():
    network = spec("resnet50")
    stages = ["conv1", "conv2_x", "conv3_x", "conv4_x", "conv5_x"]
    assert [network[name].shape for name in stages] == [
        (112, 112, 64),
        (56, 56, 256),
        (28, 28, 512),
        (14, 14, 1024),
        (7, 7, 2048),
    ]


def test_an_inception_module_joins_the_maps_of_table_1():
    network = spec("googlenet")
    names = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
    maps = [network[f"inc{name}"].shape[2] for name in names]
    assert maps == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def test_a_dense_block_joins_the_maps_of_all_layers_before_it():
    network = spec("densenet121")
    grown = [network[f"dense1.{i}"].shape[2] for i in range(1, 7)]
    assert grown == [96, 128, 160, 192, 224, 256]
