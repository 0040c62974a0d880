"""ResNet-50 from its table is ResNet-50 as people write it in PyTorch."""

import numpy as np
import pytest
from peers import nchw

from cnndsl.api import compile as compile_network
from cnndsl.api import parse

pytestmark = [pytest.mark.peers, pytest.mark.slow]

STAGES = [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)]
"""Blocks, maps and first stride of conv2_x to conv5_x: He et al. 2015, table 1."""


class ResNet50:
    """The network in PyTorch's own operators, by the weights' names in our table."""

    def __init__(self, torch, weights):
        self.torch = torch
        self.weights = {name: torch.from_numpy(array) for name, array in weights.items()}

    def __call__(self, x):
        functional = self.torch.nn.functional
        x = functional.relu(self.conv("conv1", x, 2, 3))
        x = functional.max_pool2d(x, 3, 2, 1)
        for stage, (count, _, stride) in enumerate(STAGES, 2):
            x = self.bottleneck(f"conv{stage}_1", x, stride, project=True)
            for i in range(1, count):
                x = self.bottleneck(f"conv{stage}_x.{i}", x, 1, project=False)
        x = functional.linear(x.mean((2, 3)), self.weights["fc.weight"], self.weights["fc.bias"])
        return functional.softmax(x, 1)

    def bottleneck(self, row, x, stride, *, project):
        relu = self.torch.nn.functional.relu
        y = relu(self.conv(f"{row}.c1", x, 1, 0))
        y = relu(self.conv(f"{row}.c2", y, stride, 1))
        y = self.conv(f"{row}.c3", y, 1, 0)
        return relu(y + (self.conv(f"{row}.sc", x, stride, 0) if project else x))

    def conv(self, row, x, stride, padding):
        functional = self.torch.nn.functional
        x = functional.conv2d(x, self.weights[f"{row}.weight"], None, stride, padding)
        mean, variance, weight, bias = (
            self.weights[f"{row}.norm.{name}"] for name in ("mean", "variance", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-5)


def random_weights(network):
    """Weights with which values neither vanish nor grow on their way."""
    random = np.random.default_rng(0)
    weights = {}
    for name, param in network.param_table.items():
        if name.endswith((".variance", "norm.weight")):
            array = random.uniform(0.5, 1.0, param.shape)
        elif len(param.shape) == 1:
            array = random.normal(0, 0.1, param.shape)
        else:
            array = random.normal(0, np.sqrt(2 / np.prod(param.shape[1:])), param.shape)
        weights[name] = array.astype(np.float32)
    return weights


def test_resnet_50_computes_what_the_network_written_in_pytorch_does(torch):
    network = parse("resnet50")
    weights = random_weights(network)
    x = np.random.default_rng(1).standard_normal((1, 224, 224, 3)).astype(np.float32)
    model = compile_network(network, weights, threads=1)
    expected = ResNet50(torch, weights)(torch.from_numpy(nchw(x))).numpy()
    assert np.max(np.abs(model(x) - expected)) <= 1e-4 * np.max(expected)
