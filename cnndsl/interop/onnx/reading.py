"""
An ONNX file as plain data.

The only file that looks into ONNX's protobufs when a model is read. A model is hostile input:
weights in files of their own are read from inside the model's folder only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import CnnError, FileError
from cnndsl.files import unreadable
from cnndsl.interop.onnx.package import onnx_module
from cnndsl.limits import Limits

Array = NDArray[Any]
OLDEST_OPSET, OLDEST_IR = 7, 3
_SCOPES, _REWRITTEN = "pkg.torch.onnx.name_scopes", "pkg.onnxscript.rewriter.rule_name"


class OnnxError(CnnError):
    """An ONNX model that cannot be read or that no table can say."""

    default_code = "E804"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    One node. Left-out inputs are empty names; attributes are numbers, texts, lists, arrays.

    `module` is the path of the module that a node stands in, where its name does not say it.
    """

    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: Any
    module: str = ""

    @property
    def label(self) -> str:
        """The node as a message names it."""
        return f"{self.op_type} {self.name or self.outputs[0]!r}"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """
    A model.

    `inputs` are those that no initializer fills, with their shapes as far as they are fixed (None
    for an axis that is not, or for a shape that is not given at all). `opset` is that of ONNX's own
    operators.
    """

    name: str
    opset: int
    nodes: tuple[Facts, ...]
    constants: Mapping[str, Array]
    inputs: Mapping[str, tuple[int | None, ...] | None]
    outputs: tuple[str, ...]


def read_onnx(path: Path) -> ModelFacts:
    """Read a model. Raises `OnnxError`, `FileError`, and `MissingExtra` without onnx."""
    onnx = onnx_module()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        model = onnx.load_model_from_string(content)
    except Exception:
        # What protobuf raises differs between its versions and has no common class.
        model = None
    if model is None or not model.HasField("graph"):
        raise OnnxError(f"{path} is no ONNX model, or it is damaged", fixes=[_anew(content)])
    return model_facts(model, path.parent, path.stem)


def _anew(content: bytes) -> str:
    """What to do about a file that is no model."""
    if content.startswith(b"version https://git-lfs"):
        return "git lfs pull: the file says where in Git LFS the model lies"
    return "the file copied again from where it came, whole, or exported again"


def model_facts(model: Any, folder: Path | None, name: str) -> ModelFacts:
    """
    An `onnx.ModelProto` as plain data. `folder` is where its other files may be.

    Opsets before `OLDEST_OPSET` go through ONNX's own converter. Raises `OnnxError` for a version
    that is too old or too new.
    """
    opset = _opset(model)
    if opset < OLDEST_OPSET:
        model, opset = _converted(model, opset), OLDEST_OPSET
    if model.functions:
        model = _without_functions(model)
    graph = model.graph
    constants = {tensor.name: tensor_array(tensor, folder) for tensor in graph.initializer}
    return ModelFacts(
        name,
        opset,
        tuple(_facts(node, folder) for node in graph.node),
        constants,
        {v.name: _shape(v) for v in graph.input if v.name not in constants},
        tuple(value.name for value in graph.output),
    )


def _without_functions(model: Any) -> Any:
    """The model with its functions written out where they are called."""
    try:
        return onnx_module("onnx.inliner").inline_local_functions(model)
    except Exception as error:
        # The inliner raises whatever its C++ does.
        raise OnnxError(f"the model's functions cannot be written out: {error}") from None


def tensor_array(tensor: Any, folder: Path | None) -> Array:
    """The numbers of an `onnx.TensorProto`; floats narrower or wider than float32 are converted."""
    onnx = onnx_module()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        tensor = _with_data(tensor, folder)
    try:
        array: Array = onnx.numpy_helper.to_array(tensor)
    except Exception as error:
        raise OnnxError(f"the tensor {tensor.name!r} is damaged: {error}") from None
    narrow = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
    return array.astype(np.float32, copy=False) if narrow else array


def _opset(model: Any) -> int:
    onnx = onnx_module()
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    newest = int(onnx.defs.onnx_opset_version())
    opset = int(versions[0]) if versions else 1
    if model.ir_version and model.ir_version < OLDEST_IR:
        raise OnnxError(
            f"the model has IR version {model.ir_version}; read are those from {OLDEST_IR} on",
            fixes=["export it again with a newer exporter"],
        )
    if opset > newest:
        raise OnnxError(
            f"the model has opset {opset}, and the installed onnx knows them up to {newest}",
            fixes=["pip install --upgrade onnx"],
        )
    return opset


def _converted(model: Any, opset: int) -> Any:
    """The model at the oldest opset that is read."""
    try:
        return onnx_module("onnx.version_converter").convert_version(model, OLDEST_OPSET)
    except Exception as error:
        # The converter raises whatever its C++ does.
        raise OnnxError(
            f"the model has opset {opset}; read are those from {OLDEST_OPSET} on, and ONNX's "
            f"converter cannot bring it there: {error}",
            fixes=["export it again with a newer exporter"],
        ) from None


def _facts(node: Any, folder: Path | None) -> Facts:
    own = node.domain in ("", "ai.onnx")
    return Facts(
        node.op_type if own else f"{node.domain}.{node.op_type}",
        node.name,
        tuple(node.input),
        tuple(node.output),
        {attribute.name: _attribute(attribute, folder) for attribute in node.attribute},
        node,
        _module(node),
    )


def _module(node: Any) -> str:
    """
    Where PyTorch's newer exporter says that a node comes from: it only counts their names.

    A node that it has made of a module and the next one, as of a normalization in a convolution,
    says the next one's.
    """
    said = {entry.key: entry.value for entry in getattr(node, "metadata_props", ())}
    if not re.fullmatch(r"node_.*|n\d+", node.name) or _REWRITTEN in said:
        return ""
    try:
        scopes: Any = ast.literal_eval(said.get(_SCOPES, ""))
        return "/".join(scopes[1:-1])
    except (
        ValueError,
        SyntaxError,
        TypeError,
        MemoryError,
        RecursionError,
    ):
        return ""


def _attribute(attribute: Any, folder: Path | None) -> Any:
    onnx = onnx_module()
    value: Any = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto):
        return tensor_array(value, folder)
    if isinstance(value, float):
        return round_float(value)
    return value


def round_float(value: float) -> float:
    """
    The shortest decimal that is the same float32.

    >>> round_float(0.10000000149011612)
    0.1
    """
    return float(str(np.float32(value)))


def _shape(value: Any) -> tuple[int | None, ...] | None:
    """The sides, None for one that is open: exporters write it as a name, as 0 or as -1."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim)


def _with_data(tensor: Any, folder: Path | None) -> Any:
    """The tensor with the numbers that lie in another file."""
    onnx = onnx_module()
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None or not location:
        raise OnnxError(f"the tensor {tensor.name!r} lies in another file, which is not given")
    root = folder.resolve()
    try:
        file = (root / location).resolve()
    except RuntimeError:  # a loop of links; later Pythons leave it as it is
        raise FileError(
            f"cannot read {location!r} beside the model: there is no such file"
        ) from None
    except (OSError, ValueError) as error:  # a text that is no path
        raise FileError(f"cannot read {location!r} beside the model: {error}") from None
    if not file.is_relative_to(root):
        raise OnnxError(
            f"the tensor {tensor.name!r} names a file outside the model's folder: {location!r}"
        )
    try:
        if not file.is_file():
            raise FileError(f"cannot read {location!r} beside the model: there is no such file")
        offset, size = int(entries.get("offset", "0")), file.stat().st_size
        length = int(entries.get("length", size - offset))
        if not (0 <= offset <= offset + length <= size and length <= Limits().memory):
            raise FileError(
                f"cannot read {location!r} beside the model: it has no {length} bytes at {offset}"
            )
        with file.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(length)
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {location!r} beside the model: {error}") from None
    filled = onnx.TensorProto()
    filled.CopyFrom(tensor)
    filled.ClearField("external_data")
    filled.data_location = onnx.TensorProto.DEFAULT
    filled.raw_data = content
    return filled
