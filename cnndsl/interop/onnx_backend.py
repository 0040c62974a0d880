"""
ONNX's own interface of a backend: `prepare(model).run([x])`.

It is what `onnx.backend.test` plugs into. An input that holds no images, such as weights or a
shape, is constant for a call: a model that has such inputs, or open sides, is compiled at each
call. A model whose first axis is no batch runs as one image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.backend.base import Backend, BackendRep

from cnndsl.api import compile
from cnndsl.exchange import network_of
from cnndsl.interop.onnx.importing import Imported, import_model
from cnndsl.interop.onnx.package import onnx_module
from cnndsl.interop.onnx.reading import ModelFacts, OnnxError, model_facts
from cnndsl.interop.onnx.specialising import specialised

Array = NDArray[Any]


class CnndslBackend(Backend):
    """Runs ONNX models on the target `cpu`."""

    target: ClassVar[str] = "cpu"

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether it is the CPU."""
        return device.partition(":")[0] == "CPU"

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> CnndslRep:
        """A model ready to run. Raises `CnnError`, and what ONNX's checker raises."""
        onnx_module("onnx.checker").check_model(model)
        if not cls.supports_device(device):
            raise OnnxError(f"there is no device {device!r}", fixes=["device='CPU'"])
        facts = model_facts(model, None, model.graph.name or "model")
        return CnndslRep(facts, cls.target, _result_types(model))

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Any = None,
        **kwargs: Any,
    ) -> tuple[Array, ...]:
        """The outputs of one node. `opset_version` is by default the newest that onnx knows."""
        helper = onnx.helper
        arrays = [np.asarray(array) for array in inputs]
        names = [name for name in node.input if name]
        values = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, arrays, strict=True)
        ]
        results = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        opset = int(kwargs.get("opset_version", onnx.defs.onnx_opset_version()))
        graph = helper.make_graph([node], "node", values, results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        facts = model_facts(model, None, "node")
        return CnndslRep(facts, cls.target, {}).run(arrays)


class ReferenceBackend(CnndslBackend):
    """Runs ONNX models on the target `reference`."""

    target: ClassVar[str] = "reference"


class CnndslRep(BackendRep):
    """A model that was prepared."""

    def __init__(self, facts: ModelFacts, target: str, types: Mapping[str, str]) -> None:
        self._facts = facts
        self._target = target
        self._types = types

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Array, ...]:
        """
        The model's outputs for its inputs, given in order or by name.

        Raises `CnnError` that lists all that has no row.
        """
        names = list(self._facts.inputs)
        arrays: Sequence[Any] = (
            [inputs[name] for name in names] if isinstance(inputs, Mapping) else inputs
        )
        feeds: dict[str, Array] = {}
        for name, array in zip(names, arrays, strict=True):
            if not hasattr(array, "dtype"):
                raise OnnxError(f"the input {name!r} is no tensor")
            feeds[name] = np.asarray(array)
        model = specialised(self._facts, feeds)
        (image,) = model.inputs
        return self._run(model, feeds[image])

    def _run(self, model: ModelFacts, x: Array) -> tuple[Array, ...]:
        """The outputs of a model of one input."""
        imported, batched = _imported(model, x.ndim)
        for output in imported.outputs:
            type_ = self._types.get(output.name, "float32")
            if output.constant is None and type_ != "float32":
                raise OnnxError(f"the output {output.name!r} is {type_}, and rows compute float32")
        computed = _computed(imported, self._target, x if batched else x[None])
        return tuple(
            output.constant
            if output.constant is not None
            else computed[output.node].reshape((*x.shape[: int(batched)], *output.shape))
            for output in imported.outputs
        )


def _imported(model: ModelFacts, rank: int) -> tuple[Imported, bool]:
    """The model as a graph, and whether the first axis of its images is the batch."""
    if rank < 2:
        return import_model(model, batched=False), False
    try:
        return import_model(model), True
    except OnnxError as error:
        # Where the first axis is no batch, what works along it may work with one in front.
        try:
            return import_model(model, batched=False), False
        except OnnxError:
            raise error from None


def _result_types(model: onnx.ModelProto) -> dict[str, str]:
    """What the model says that its outputs hold."""
    helper = onnx_module("onnx.helper")
    return {
        value.name: str(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in model.graph.output
        if value.type.tensor_type.elem_type
    }


def _computed(imported: Imported, target: str, x: Array) -> dict[str, Array]:
    """The values of the graph's outputs."""
    names = imported.graph.outputs
    if not names:
        return {}
    if len(names) > 1:
        raise OnnxError(f"a table has one output, and the model has {len(names)}")
    found = network_of(imported, "model")
    model = compile(found.network, found.weights, target=target)
    y = model(x.reshape(len(x), *model.input_shape))
    return {name: y.astype(np.float32, copy=False) for name in names}


prepare = CnndslBackend.prepare
run_node = CnndslBackend.run_node
run_model = CnndslBackend.run_model
supports_device = CnndslBackend.supports_device
