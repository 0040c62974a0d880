"""
The other runtimes: each as a function that computes one network once.

A network becomes a PyTorch module (`to_torch`), that an ONNX file for ONNX Runtime and OpenVINO,
and, through pnnx, a model of ncnn. All compute in float32, and on as many threads as they are told.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import FloatArray, Problem
from benchmarks.contest import Call


class Exports:
    """A problem in the forms that peers read, made in a folder as far as one asks for them."""

    def __init__(self, problem: Problem, folder: Path) -> None:
        self._problem = problem
        self._folder = folder

    @cached_property
    def module(self) -> Any:
        """A PyTorch module."""
        # Imported here: this file is read where PyTorch is not installed.
        from benchmarks.to_torch import to_torch

        return to_torch(self._problem.network, self._problem.weights)

    def onnx_file(self, images: FloatArray) -> Path:
        """An ONNX file for batches of this size."""
        import torch

        path = self._folder / f"{len(images)}.onnx"
        if not path.exists():
            example = (torch.from_numpy(images),)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the exporter that needs no other package is old
                torch.onnx.export(
                    self.module,
                    example,
                    str(path),
                    dynamo=False,
                    input_names=["x"],
                    output_names=["y"],
                )
        return path

    def ncnn_files(self, images: FloatArray) -> tuple[Path, Path]:
        """The description and the weights for ncnn, which takes single images."""
        import pnnx
        import torch

        description, weights = (self._folder / f"model.ncnn.{kind}" for kind in ("param", "bin"))
        if not description.exists():
            traced = self._folder / "model.pt"
            example = torch.from_numpy(images[:1])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing is on its way out of PyTorch
                script: Any = torch.jit.trace(self.module, example)
            script.save(str(traced))
            shape = ",".join(map(str, example.shape))
            subprocess.run(
                [pnnx.EXEC_PATH, traced, f"inputshape=[{shape}]", "fp16=0"],
                check=True,
                capture_output=True,
                cwd=self._folder,
            )
        return description, weights


@dataclass(frozen=True, slots=True)
class Peer:
    """A runtime. `needs` are the modules without which it cannot take part."""

    name: str
    needs: tuple[str, ...]
    open: Callable[[Exports, FloatArray, int], Call]
    """Make it ready to compute the network for these images on so many threads."""

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [module for module in self.needs if find_spec(module) is None]


def _open_torch(exports: Exports, images: FloatArray, threads: int) -> Call:
    import torch

    torch.set_num_threads(threads)
    module, x = exports.module, torch.from_numpy(images)

    def run() -> FloatArray:
        with torch.inference_mode():
            return module(x).numpy()

    return run


def _open_onnxruntime(exports: Exports, images: FloatArray, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session: Any = onnxruntime.InferenceSession(
        str(exports.onnx_file(images)), options, providers=["CPUExecutionProvider"]
    )
    feed = {"x": images}
    return lambda: session.run(None, feed)[0]


def _open_openvino(exports: Exports, images: FloatArray, threads: int) -> Call:
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = openvino.Core().compile_model(str(exports.onnx_file(images)), "CPU", options)
    request = model.create_infer_request()
    feed = {0: images}
    return lambda: request.infer(feed)[0]


def _open_ncnn(exports: Exports, images: FloatArray, threads: int) -> Call:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for option in (
        "use_fp16_packed",
        "use_fp16_storage",
        "use_fp16_arithmetic",
        "use_bf16_storage",
        "use_vulkan_compute",
    ):
        setattr(net.opt, option, False)
    description, weights = exports.ncnn_files(images)
    # Where it cannot read them it says so by a status only, and ends the process when it runs.
    if net.load_param(str(description)) or net.load_model(str(weights)):
        raise RuntimeError("it cannot read what pnnx made of the network")

    def run() -> FloatArray:
        outputs: list[FloatArray] = []
        for image in images:  # ncnn takes one image at a time
            extractor = net.create_extractor()
            extractor.input("in0", ncnn.Mat(image))
            outputs.append(np.array(extractor.extract("out0")[1]))
        return np.stack(outputs)

    return run


PEERS = (
    Peer("torch", ("torch",), _open_torch),
    Peer("onnxruntime", ("onnxruntime", "onnx", "torch"), _open_onnxruntime),
    Peer("openvino", ("openvino", "onnx", "torch"), _open_openvino),
    Peer("ncnn", ("ncnn", "pnnx", "torch"), _open_ncnn),
)
