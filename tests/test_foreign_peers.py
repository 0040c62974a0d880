"""
Networks of torchvision and Keras with random weights compute the same from our tables.

Every network is written to a file by its own framework, converted as a user would convert it, and
run in both. What differs between a published table and a framework's network is in docs/zoo.md.
"""

import zipfile

import numpy as np
import pytest

import cnndsl
from benchmarks import zoo_peers
from cnndsl.api import parse

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    # Keras converts PyTorch's tensors as NumPy 2 would not have it.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SORTED = ["resnet50", "squeezenet1_1", "densenet121", "mobilenet_v2", "inception_v3"]


@pytest.fixture(scope="module")
def torchvision(torch):
    return pytest.importorskip("torchvision")


@pytest.mark.parametrize("spec", zoo_peers.TORCHVISION)
def test_torchvision_s_network_and_our_table_compute_the_same(torchvision, tmp_path, spec):
    found = zoo_peers.compare_torchvision(spec, tmp_path / "theirs.pth")
    assert found.params == parse(spec).trainable_params
    assert found.error <= 1e-4


@pytest.mark.parametrize("spec", SORTED)
def test_a_file_with_sorted_names_does_as_well(torchvision, tmp_path, spec):
    found = zoo_peers.compare_torchvision(spec, tmp_path / "theirs.safetensors")
    assert found.error <= 1e-4


@pytest.mark.parametrize("spec", zoo_peers.TIMM)
def test_timm_s_network_and_our_table_compute_the_same(torch, tmp_path, spec):
    pytest.importorskip("timm")
    found = zoo_peers.compare_timm(spec, tmp_path / "theirs.safetensors")
    assert found.params == parse(spec).trainable_params
    assert found.error <= 1e-4


@pytest.mark.parametrize("spec", ["alexnet", "alexnet_2012", "googlenet"])
def test_torchvision_s_other_networks_of_the_same_name_are_refused(
    torch, torchvision, tmp_path, spec
):
    """Its AlexNet is that of 2014; its GoogLeNet has normalizations, and 3x3 filters for 5x5."""
    theirs = zoo_peers.torchvision_network(spec.partition("_")[0])
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    with pytest.raises(cnndsl.CnnError, match=r"no layer in .* fits"):
        cnndsl.convert_weights(tmp_path / "theirs.pth", parse(spec))


def test_a_file_that_would_run_code_is_refused(torch, tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "whole.pt")
    (tmp_path / "text.pt").write_text("no pickle")
    network = parse(text="cnn 1\nlayer type maps\nIn input 2 size=1\nF1 dense 3\n")
    with pytest.raises(cnndsl.CnnError, match="would run code"):
        cnndsl.convert_weights(tmp_path / "whole.pt", network)
    with pytest.raises(cnndsl.CnnError, match="no file of PyTorch's"):
        cnndsl.convert_weights(tmp_path / "text.pt", network)
    with pytest.raises(cnndsl.CnnError, match="there is no such file"):
        cnndsl.convert_weights(tmp_path / "gone.pt", network)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7])
def test_a_damaged_file_is_not_said_to_run_code(torch, tmp_path, zipped, part):
    """Its pickle is cut off, in a zip file that is sound."""
    path, state = tmp_path / "cut.pt", torch.nn.Linear(2, 3).state_dict()
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    if zipped:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                length = int(part * len(content)) if name.endswith("data.pkl") else len(content)
                archive.writestr(name, content[:length])
    else:
        path.write_bytes(path.read_bytes()[: int(part * 400)])
    network = parse(text="cnn 1\nlayer type maps\nIn input 2 size=1\nF1 dense 3\n")
    with pytest.raises(cnndsl.CnnError, match="it is damaged"):
        cnndsl.convert_weights(path, network)


def test_the_weights_in_a_checkpoint_are_found(torch, tmp_path):
    layer = torch.nn.Linear(2, 3)
    checkpoint = {"epoch": 3, "state_dict": {"fc": 0, **layer.state_dict(prefix="module.fc.")}}
    torch.save(checkpoint, tmp_path / "last.pt")
    network = parse(text="cnn 1\nlayer type maps\nIn input 2 size=1\nF1 dense 3\n")
    found = cnndsl.convert_weights(tmp_path / "last.pt", network)
    np.testing.assert_array_equal(found["F1.weight"], layer.weight.detach().numpy())


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("h5py")
    pytest.importorskip("torch")
    try:
        return zoo_peers.keras_module()
    except ImportError:
        pytest.skip("keras is not installed")


@pytest.mark.parametrize("spec", zoo_peers.KERAS)
def test_keras_s_network_and_our_table_compute_the_same(keras, tmp_path, spec):
    found = zoo_peers.compare_keras(spec, tmp_path / "theirs.keras")
    assert found.params == parse(spec).trainable_params
    assert found.error <= 1e-4


SMALL = """\
cnn 1
layer  type           maps  kernel  stride  padding     norm
In     input          3     -       -       -           -            size=9x8
C1     conv           8     3x3     2       same_upper  batch(1e-3)  activation=relu
D2     depthwise      ?     3x3     1       same        -            multiplier=2
P2     prelu          ?     -       -       -           -            slopes=map
S3     separable      6     3x3     1       same        -            activation=relu
U4     convtranspose  4     2x2     2       valid       -            activation=tanh
N4     layernorm      ?     -       -       -           -            epsilon=1e-3 over=maps
F5     dense          7
"""


def small_model(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((9, 8, 3)),
            layers.Conv2D(8, 3, 2, "same"),  # a bias, which goes into the mean
            layers.BatchNormalization(scale=False, epsilon=1e-2),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, 1, "same", depth_multiplier=2),
            layers.PReLU(shared_axes=[1, 2]),
            layers.SeparableConv2D(6, 3, 1, "same", activation="relu"),
            layers.Conv2DTranspose(4, 2, 2, activation="tanh"),
            layers.LayerNormalization(),
            layers.Flatten(),
            layers.Dense(7),
        ]
    )


def assert_same_as_keras(model, file, **arguments):
    network = parse(text=SMALL)
    (model.save_weights if file.name.endswith(".weights.h5") else model.save)(file)
    x = zoo_peers.picture(network)
    expected = np.asarray(model.predict(x, verbose=0))
    ours = cnndsl.compile(network, cnndsl.convert_weights(file, network, **arguments))(x)
    assert np.max(np.abs(ours - expected)) <= 1e-4 * np.max(np.abs(expected))


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_all_kinds_of_keras_s_layers_are_converted(keras, tmp_path, ending):
    arguments = {} if ending == "keras" else {"epsilon": 1e-2}  # which only .keras says
    file = tmp_path / f"theirs.{ending}"
    assert_same_as_keras(zoo_peers.randomised(small_model(keras)), file, **arguments)


def test_numbered_variables_of_which_one_is_missing_are_refused(keras, tmp_path):
    small_model(keras).save_weights(tmp_path / "theirs.weights.h5")
    with pytest.raises(cnndsl.CnnError, match=r"gamma and beta one is missing"):
        cnndsl.convert_weights(tmp_path / "theirs.weights.h5", parse(text=SMALL))


def test_numbered_variables_are_read_by_their_class(keras, tmp_path):
    model = small_model(keras)
    model.layers[1].scale = True
    model = keras.Sequential.from_config(model.get_config())
    file = tmp_path / "theirs.weights.h5"
    assert_same_as_keras(zoo_peers.randomised(model), file, epsilon=1e-2)


def test_a_damaged_file_of_keras_s_is_refused(keras, tmp_path):
    for name in ("a.keras", "a.weights.h5"):
        (tmp_path / name).write_text("neither zip nor HDF5")
        with pytest.raises(cnndsl.CnnError, match="cannot read the weights"):
            cnndsl.convert_weights(tmp_path / name, parse(text=SMALL))


@pytest.mark.parametrize(
    ("spec", "theirs", "message"),
    [
        ("resnet50", "ResNet50", "its stride is 1x1, and that of conv3_block1_1_conv is 2x2"),
        ("mobilenet_v2", "MobileNetV2", "its padding is 1, and that of Conv1 is same_upper"),
    ],
)
def test_keras_s_other_networks_of_the_same_shapes_are_refused(
    keras, tmp_path, spec, theirs, message
):
    getattr(keras.applications, theirs)(weights=None).save(tmp_path / "theirs.keras")
    with pytest.raises(cnndsl.CnnError) as caught:
        cnndsl.convert_weights(tmp_path / "theirs.keras", parse(spec))
    assert message in str(caught.value)
