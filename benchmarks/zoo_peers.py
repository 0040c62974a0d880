"""
Other frameworks' networks that compute what our specs do, with random weights in files.

Their weights are such that values neither vanish nor grow on their way, and the last layer's are
divided by the spread of the logits: of larger ones a softmax is certain of one class, of smaller
ones of none, and both hide errors.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cnndsl
from cnndsl.ir.network import Network

TORCHVISION = {
    "vgg11": "vgg11",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "resnet152": "resnet152",
    "resnext50": "resnext50_32x4d",
    "squeezenet1_0": "squeezenet1_0",
    "squeezenet1_1": "squeezenet1_1",
    "densenet121": "densenet121",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_large": "mobilenet_v3_large",
    "mobilenet_v3_small": "mobilenet_v3_small",
    "efficientnet_b0": "efficientnet_b0",
    "inception_v3": "inception_v3",
}
"""Our specs, and what torchvision calls the same network."""

KERAS = {
    "mobilenet_v1": "MobileNet",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "xception": "Xception",
    "densenet121": "DenseNet121",
}
"""Our specs, and what keras.applications calls the same network."""

TIMM = {
    "se_resnet50": "seresnet50",
    "resnet50": "resnet50",
    "mobilenet_v2": "mobilenetv2_100",
    "efficientnet_b0": "efficientnet_b0",
    "inception_v3": "inception_v3",
    "vgg16": "vgg16",
}
"""Our specs, and what timm calls the same network."""


@dataclass(frozen=True)
class Comparison:
    """
    How far our output is from theirs, as a part of their largest, and their trained parameters.
    """

    error: float
    params: int


def compare_torchvision(spec: str, file: Path) -> Comparison:
    """Write torchvision's network to a `.pth` or `.safetensors`, convert that, and run both."""
    return _compare_torch(spec, torchvision_network(TORCHVISION[spec]), file)


def compare_timm(spec: str, file: Path) -> Comparison:
    """The same with timm's network."""
    theirs = import_module("timm").create_model(TIMM[spec], pretrained=False).eval()
    return _compare_torch(spec, _with_random_numbers(theirs), file)


def _compare_torch(spec: str, theirs: Any, file: Path) -> Comparison:
    torch = import_module("torch")
    network = cnndsl.parse(spec)
    x = picture(network)
    image = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        last = [m for m in theirs.modules() if getattr(m, "weight", None) is not None][-1]
        spread = theirs(image).std()
        last.weight.div_(spread)
        last.bias.div_(spread)
        expected = torch.softmax(theirs(image), 1).numpy()
    write = torch.save if file.suffix == ".pth" else import_module("safetensors.torch").save_file
    write(theirs.state_dict(), file)
    names = [name for name, _ in theirs.named_parameters() if not name.startswith("AuxLogits")]
    params = sum(theirs.get_parameter(name).numel() for name in names)
    return Comparison(_error(network, file, x, expected), params)


def torchvision_network(architecture: str) -> Any:
    """A network of torchvision with random weights, as it is at inference."""
    models = import_module("torchvision.models")
    draws = architecture in ("inception_v3", "googlenet")  # weights of their own, and slowly
    options = {"init_weights": False} if draws else {}
    return _with_random_numbers(getattr(models, architecture)(weights=None, **options).eval())


def _with_random_numbers(network: Any) -> Any:
    torch = import_module("torch")
    random = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.dim() > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=random)
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.5, 1, generator=random)
        elif tensor.is_floating_point():
            tensor.normal_(0, 0.1, generator=random)
    return network


def compare_keras(spec: str, file: Path) -> Comparison:
    """Write the network of keras.applications to a file, convert that, and run both."""
    keras = keras_module()
    model = randomised(getattr(keras.applications, KERAS[spec])(weights=None))
    network = cnndsl.parse(spec)
    x = picture(network)
    last = model.layers[-1]
    last.activation = keras.activations.linear
    spread = np.asarray(model.predict(x, verbose=0)).std()
    last.set_weights([array / spread for array in last.get_weights()])
    last.activation = keras.activations.softmax
    model.make_predict_function(force=True)
    model.save(file)
    expected = np.asarray(model.predict(x, verbose=0))
    params = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    return Comparison(_error(network, file, x, expected), params)


def keras_module() -> Any:
    """Keras, on PyTorch unless the environment says otherwise. Raises `ImportError`."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return import_module("keras")


def randomised(model: Any) -> Any:
    """A Keras model with random numbers in all of its variables."""
    random = np.random.default_rng(0)
    for variable in model.variables:
        shape, path = tuple(variable.shape), variable.path
        if path.endswith(("gamma", "variance")):
            variable.assign(random.uniform(0.5, 1.0, shape))
        elif len(shape) > 1:
            # A depthwise kernel [h, w, maps, multiplier] sums over one map only.
            sums = np.prod(shape[:2]) if "depthwise" in path else np.prod(shape[:-1])
            variable.assign(random.normal(0, np.sqrt(2 / sums), shape))
        elif path.endswith(("bias", "beta", "mean")):
            variable.assign(random.normal(0, 0.1, shape))
    return model


def picture(network: Network) -> NDArray[np.float32]:
    """A picture of random numbers as the network reads it."""
    shape = (1, *network.input.size, network.input.maps)
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def _error(
    network: Network, file: Path, x: NDArray[np.float32], expected: NDArray[np.float32]
) -> float:
    model = cnndsl.compile(network, cnndsl.convert_weights(file, network))
    return float(np.max(np.abs(model(x) - expected)) / np.max(expected))
