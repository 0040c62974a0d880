"""Other frameworks' weights find their rows, or are refused: they are never put elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from foreign_files import (
    TWO_BRANCHES,
    branches,
    foreign,
    keras_layers,
    random_weights,
    shuffled_order,
    table,
    tensors_of,
    torch_layers,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

from cnndsl.api import parse
from cnndsl.errors import WeightsError
from cnndsl.interop.foreign.converting import convert_weights
from cnndsl.interop.foreign.layers import ForeignWeights
from cnndsl.interop.foreign.pairs import Pairs, parse_pairs

SMALL_ZOO = ["lenet5_1998", "fashion_mnist", "squeezenet1_1", "resnet18", "mobilenet_v2", "nin"]
BRANCHED_ZOO = ["resnet50", "inception_v3", "googlenet", "densenet121", "efficientnet_b0"]


def assert_same(converted, weights):
    assert list(converted.weights) == list(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(converted.weights[name], array, err_msg=name)


def outcome(file, network):
    try:
        return convert_weights(file, network)
    except WeightsError as error:
        return error


def known_by(converted):
    return {line.source.name: line.how for line in converted.lines}


# ---- layouts


@pytest.mark.parametrize("name", [*SMALL_ZOO, "xception", "unet", "vgg11", "yolo_v3_tiny"])
def test_weights_in_pytorch_s_order_of_axes_come_back(name):
    network = parse(name)
    weights = random_weights(network)
    arrays = tensors_of(torch_layers(network, weights))
    assert_same(convert_weights(foreign(arrays), network), weights)


@pytest.mark.parametrize("name", [*SMALL_ZOO[1:], "xception", "unet", "vgg11", "yolo_v3_tiny"])
def test_weights_in_keras_s_order_of_axes_come_back(name):
    network = parse(name)
    weights = random_weights(network)
    arrays = tensors_of(keras_layers(network, weights), "/")
    assert_same(convert_weights(foreign(arrays, "keras"), network), weights)


def test_the_order_of_axes_is_told_by_the_shapes_where_the_file_does_not_say_it():
    network = table("In input 3 8\nC1 conv 4 ? 3x3\nF2 dense 5\n")
    weights = random_weights(network)
    for layers in (torch_layers, keras_layers):
        arrays = tensors_of(layers(network, weights))
        arrays = {name.replace("kernel", "weight"): array for name, array in arrays.items()}
        assert_same(convert_weights(foreign(arrays, None), network), weights)


def test_shapes_that_fit_in_either_order_of_axes_are_refused():
    network = table("In input 1 1x4\nF1 dense 4\n")
    arrays = {"fc.weight": np.arange(16.0).reshape(4, 4), "fc.bias": np.zeros(4)}
    with pytest.raises(WeightsError, match="two orders of axes") as caught:
        convert_weights(foreign(arrays, None), network)
    assert caught.value.code == "E403"
    converted = convert_weights(foreign(arrays, None), network, layout="keras")
    np.testing.assert_array_equal(converted.weights["F1.weight"], arrays["fc.weight"].T)


def test_1x1_filters_do_for_a_dense_row():
    text = "cnn 1\nlayer type maps\nIn input 3 size=4\ngap globalavgpool\nF1 dense 5\n"
    network = parse(text=text)
    weight = np.arange(15.0, dtype=np.float32).reshape(5, 3)
    arrays = {"se.fc.weight": weight[:, :, None, None], "se.fc.bias": np.zeros(5)}
    converted = convert_weights(foreign(arrays), network)
    np.testing.assert_array_equal(converted.weights["F1.weight"], weight)


@pytest.mark.parametrize("order", ["chw", "hwc"])
def test_filters_as_large_as_the_image_do_for_a_dense_row(order):
    network = parse(
        text=f"cnn 1\nlayer type maps\nIn input 3 size=4x2\nF1 dense 5 flatten={order}\n"
    )
    filters = np.random.default_rng(0).standard_normal((5, 3, 4, 2)).astype(np.float32)
    turned = filters if order == "chw" else filters.transpose(0, 2, 3, 1)
    for layout, held in (("pytorch", filters), ("keras", filters.transpose(2, 3, 1, 0))):
        arrays = {"fc.weight": np.ascontiguousarray(held), "fc.bias": np.zeros(5)}
        converted = convert_weights(foreign(arrays, layout), network)
        np.testing.assert_array_equal(converted.weights["F1.weight"], turned.reshape(5, -1))


def test_a_dense_layer_over_an_image_does_for_filters_of_its_size():
    network = parse(text="cnn 1\nlayer type maps kernel\nIn input 3 size=4\nC1 conv 5 4x4\n")
    images = np.random.default_rng(0).standard_normal((5, 3, 4, 4)).astype(np.float32)
    arrays = {"fc6.weight": images.reshape(5, -1), "fc6.bias": np.zeros(5)}
    converted = convert_weights(foreign(arrays), network)
    np.testing.assert_array_equal(converted.weights["C1.weight"], images)
    arrays = {"fc6.kernel": images.transpose(2, 3, 1, 0).reshape(-1, 5), "fc6.bias": np.zeros(5)}
    converted = convert_weights(foreign(arrays, "keras"), network)
    np.testing.assert_array_equal(converted.weights["C1.weight"], images)


# ---- what frameworks have and rows do not


def test_a_bias_before_a_normalization_goes_into_its_mean():
    network = table("In input 3 8\nC1 conv 4 ? 3x3 valid batch(1e-5)\n")
    weights = random_weights(network)
    arrays = tensors_of(torch_layers(network, weights))
    arrays["C1.bias"] = np.array([1, -2, 3, 0.5], np.float32)
    converted = convert_weights(foreign(arrays), network)
    mean = weights["C1.norm.mean"] - arrays["C1.bias"]
    np.testing.assert_array_equal(converted.weights["C1.norm.mean"], mean)
    words = {line.source.name: line.source.conversion.words for line in converted.lines}
    assert words["C1.norm.mean"] == "less C1.bias"


def test_a_bias_that_no_normalization_follows_is_refused():
    network = parse(
        text="cnn 1\nlayer type maps kernel\nIn input 3 size=4\nC1 conv 5 3x3 bias=no\n"
    )
    arrays = {"c.weight": np.zeros((5, 3, 3, 3)), "c.bias": np.zeros(5)}
    with pytest.raises(WeightsError, match=r"no layer in their\.file fits C1"):
        convert_weights(foreign(arrays), network)


def test_a_normalization_without_scale_has_ones():
    network = table("In input 3 8\nC1 conv 4 ? 3x3 valid batch(1e-3)\n")
    weights = random_weights(network)
    arrays = tensors_of(keras_layers(network, weights), "/")
    del arrays["C1.norm/gamma"]
    converted = convert_weights(foreign(arrays, "keras"), network)
    np.testing.assert_array_equal(converted.weights["C1.norm.weight"], np.ones(4))


def test_another_epsilon_goes_into_the_variance():
    network = table("In input 3 8\nC1 conv 4 ? 3x3 valid batch(1e-5)\n")
    weights = random_weights(network)
    arrays = tensors_of(torch_layers(network, weights))
    converted = convert_weights(foreign(arrays), network, epsilon=1e-3)
    variance = converted.weights["C1.norm.variance"].astype(np.float64) + 1e-5
    expected = weights["C1.norm.variance"].astype(np.float64) + 1e-3
    np.testing.assert_allclose(variance, expected, rtol=1e-7)


def test_what_only_training_needs_is_said_and_left():
    network = table("In input 3 8\nC1 conv 4 ? 3x3 valid batch(1e-5)\n")
    arrays = tensors_of(torch_layers(network, random_weights(network)))
    arrays["C1.norm.num_batches_tracked"] = np.float32(7)
    assert convert_weights(foreign(arrays), network).unused == ("C1.norm.num_batches_tracked",)


# ---- which layer is whose


@pytest.mark.parametrize("name", [*SMALL_ZOO, *BRANCHED_ZOO])
@pytest.mark.parametrize("seed", [0, 1])
def test_layers_in_any_order_of_evaluation_find_their_rows_or_are_refused(name, seed):
    """Names say nothing here, so where two branches look alike only refusing is right."""
    network = parse(name)
    weights = random_weights(network)
    layers = torch_layers(network, weights)
    order = shuffled_order(network, seed)
    opaque = {f"layer{chr(97 + i % 26)}{'z' * (i // 26)}": layers[n] for i, n in enumerate(order)}
    found = outcome(foreign(tensors_of(opaque), listed=True), network)
    if isinstance(found, WeightsError):
        assert found.code == "E403"
    else:
        assert_same(found, weights)


@pytest.mark.parametrize("name", [*SMALL_ZOO, *BRANCHED_ZOO])
def test_sorted_names_find_their_rows(name):
    network = parse(name)
    weights = random_weights(network)
    arrays = dict(sorted(tensors_of(torch_layers(network, weights)).items()))
    assert_same(convert_weights(foreign(arrays, listed=False), network), weights)


def test_branches_that_look_alike_are_refused():
    with pytest.raises(WeightsError, match="a could be left or right") as caught:
        convert_weights(branches("left", "right"), table(TWO_BRANCHES))
    assert caught.value.code == "E403"
    assert "`a = left`" in str(caught.value)


@pytest.mark.parametrize(("mine", "bias"), [("left", 0), ("right", 1)])
def test_a_user_s_pair_decides_between_branches(mine, bias):
    pairs = parse_pairs(f"a = {mine}  # the one that I mean")
    converted = convert_weights(branches("left", "right"), table(TWO_BRANCHES), pairs)
    np.testing.assert_array_equal(converted.weights["a.bias"], np.full(4, bias))
    assert known_by(converted)["a.bias"] == "as you say"


def test_names_decide_between_branches():
    converted = convert_weights(branches("conv_b", "conv_a"), table(TWO_BRANCHES))
    np.testing.assert_array_equal(converted.weights["b.bias"], np.zeros(4))
    assert known_by(converted)["b.bias"] == "by name"


def test_other_uses_of_a_block_decide_between_branches():
    """In the second use shapes tell the branches apart, and so what they are called."""
    text = """\
cnn 1
block Fork(maps)
layer type maps kernel from
p conv $maps 1x1 in
q conv 4 1x1 in
out concat ? - p,q
end
layer type maps size
In input 4 8
one Fork 4 ?
two Fork 6 ?
"""
    network = parse(text=text)
    weights = random_weights(network)
    layers = torch_layers(network, weights)
    names = {"one.q": "0.short", "one.p": "0.long", "two.q": "1.short", "two.p": "1.long"}
    arrays = tensors_of({theirs: layers[ours] for ours, theirs in names.items()})
    converted = convert_weights(foreign(arrays, listed=True), network)
    assert_same(converted, weights)
    assert known_by(converted)["one.p.weight"] == "as in other blocks"


def test_a_module_that_the_table_lacks_is_left_out_and_said():
    network = table("In input 3 8\nC1 conv 4 ? 3x3\nC2 conv 4 ? 3x3\n")
    weights = random_weights(network)
    arrays = tensors_of(torch_layers(network, weights))
    head = {"aux.conv.weight": np.ones((4, 4, 3, 3)), "aux.conv.bias": np.ones(4)}
    arrays = {**dict(list(arrays.items())[:2]), **head, **dict(list(arrays.items())[2:])}
    with pytest.raises(WeightsError, match="1 layers more") as caught:
        convert_weights(foreign(arrays), network)
    assert "C2" in str(caught.value)
    assert "aux" in str(caught.value)
    converted = convert_weights(foreign(arrays), network, Pairs(out=("aux",)))
    assert_same(converted, weights)
    assert [tensor.name for tensor, _ in converted.left_over] == list(head)


def test_layers_that_no_row_could_have_are_left_over_and_said():
    network = table("In input 3 8\nC1 conv 4 ? 3x3\n")
    weights = random_weights(network)
    arrays = tensors_of(torch_layers(network, weights)) | {"aux.weight": np.ones((7, 7))}
    (left,) = convert_weights(foreign(arrays), network).left_over
    assert (left[0].name, left[1]) == ("aux.weight", "no row has such tensors")


def test_a_shortcut_that_is_listed_before_its_branch_finds_its_row():
    network = parse("resnet18")
    weights = random_weights(network)
    layers = torch_layers(network, weights)
    names = list(layers)
    for stage in (3, 4, 5):
        block = [name for name in names if name.startswith(f"conv{stage}_1.")]
        place = names.index(block[0])
        names[place : place + len(block)] = block[-2:] + block[:-2]
    arrays = tensors_of({f"m{i}": layers[name] for i, name in enumerate(names)})
    assert_same(convert_weights(foreign(arrays), network), weights)


def test_an_order_in_which_nothing_could_be_computed_is_refused():
    network = table("In input 3 8\nC1 conv 3 ? 3x3 1\nC2 conv 3 ? 3x3 1\nF3 dense 2\n")
    arrays = tensors_of(torch_layers(network, random_weights(network)))
    names = {"C1": "b2", "C2": "b1", "F3": "b0"}
    turned = {f"{names[n[:2]]}{n[2:]}": array for n, array in reversed(arrays.items())}
    with pytest.raises(WeightsError, match="no order in which this table") as caught:
        convert_weights(foreign(turned), network)
    assert caught.value.code == "E403"


def test_a_row_without_a_layer_is_named_with_what_is_near():
    network = table("In input 3 8\nC1 conv 4 ? 5x5\nF2 dense 10\n")
    arrays = {
        "c.weight": np.zeros((4, 3, 5, 5)),
        "c.bias": np.zeros(4),
        "head.weight": np.zeros((1000, 64)),
        "head.bias": np.zeros(1000),
    }
    with pytest.raises(WeightsError) as caught:
        convert_weights(foreign(arrays), network)
    (finding,) = caught.value.diagnostics
    assert finding.row == "F2"
    assert finding.notes == ("head (weight [1000, 64], bias [1000]) fits no row",)


def test_a_layer_that_slides_otherwise_than_its_row_is_refused():
    network = parse(
        text="cnn 1\nlayer type maps kernel stride padding\nIn input 3 size=8\nC1 conv 4 3x3 2 1\n"
    )
    arrays = tensors_of(torch_layers(network, random_weights(network)))
    (layer,) = foreign(arrays).layers
    for said, message in (
        ({"stride": (1, 1)}, "its stride is 2x2, and that of C1 is 1x1"),
        ({"stride": (2, 2), "same": True}, "its padding is 1, and that of C1 is same_upper"),
    ):
        file = ForeignWeights("their.file", (replace(layer, **said),), True, "pytorch")
        with pytest.raises(WeightsError, match=message):
            convert_weights(file, network)
    file = ForeignWeights("their.file", (replace(layer, stride=(2, 2)),), True, "pytorch")
    assert convert_weights(file, network).left_over == ()


# ---- random networks


@given(network=networks(), layout=st.sampled_from(["pytorch", "keras"]))
def test_weights_of_any_network_come_back_or_are_refused(network, layout):
    weights = random_weights(network)
    layers = (torch_layers if layout == "pytorch" else keras_layers)(network, weights)
    found = outcome(foreign(tensors_of(layers), layout, listed=True), network)
    if isinstance(found, WeightsError):
        assert found.code == "E403"
    else:
        assert_same(found, weights)
