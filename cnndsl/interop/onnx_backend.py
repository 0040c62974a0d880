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
        imported, batched = _imported(self._facts, feeds)
        for output in imported.outputs:
            type_ = self._types.get(output.name, "float32")
            if output.constant is None and type_ != "float32":
                raise OnnxError(f"the output {output.name!r} is {type_}, and rows compute float32")
        images = {
            row: feeds[name] if batched else feeds[name][None]
            for name, row in imported.inputs.items()
        }
        computed = _computed(imported, self._target, images)
        return tuple(
            output.constant
            if output.constant is not None
            else computed[output.node].reshape((-1, *output.shape)[int(not batched) :])
            for output in imported.outputs
        )


def _imported(facts: ModelFacts, feeds: Mapping[str, Array]) -> tuple[Imported, bool]:
    """
    The model as a graph, and whether the first axis of its images is the batch.

    It is read as a table would have it, or else with one image only, or else all that goes in at
    once being one image: then what works along the first axis may have a row.
    """
    refusal: OnnxError | None = None
    for several in (True, False):
        model = specialised(facts, feeds, several=several)
        for batched in (True, False):
            try:
                return import_model(model, batched=batched), batched
            except OnnxError as error:
                small = batched and any(len(shape or ()) < 2 for shape in model.inputs.values())
                refusal = refusal or (None if small else error)
    assert refusal is not None
    raise refusal


def _result_types(model: onnx.ModelProto) -> dict[str, str]:
    """What the model says that its outputs hold."""
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
    return {name: _type_name(type_) for name, type_ in types.items() if type_}


def _type_name(type_: int) -> str:
    """An element type as NumPy calls it, where that is not as what its numbers are stored."""
    if type_ == onnx.TensorProto.FLOAT:
        return "float32"
    name = str(onnx_module("onnx.helper").tensor_dtype_to_np_dtype(type_))
    return onnx.TensorProto.DataType.Name(type_).lower() if name == "float32" else name


def _computed(imported: Imported, target: str, images: Mapping[str, Array]) -> dict[str, Array]:
    """The values of the graph's outputs, by their nodes; `images` are by their rows."""
    names = imported.graph.outputs
    if not names:
        return {}
    found = network_of(imported, "model")
    model = compile(found.network, found.weights, target=target)
    batches = [x.reshape(len(x), *model.inputs[row]) for row, x in images.items()]
    results = model(*batches)
    several = results if len(names) > 1 else (results,)
    return {name: y.astype(np.float32, copy=False) for name, y in zip(names, several, strict=True)}


prepare = CnndslBackend.prepare
run_node = CnndslBackend.run_node
run_model = CnndslBackend.run_model
supports_device = CnndslBackend.supports_device
