"""Networks from and to other tools' files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.errors import CnnError
from cnndsl.files import require_path
from cnndsl.frontend.load import load_network, read_source
from cnndsl.frontend.write import write_folded_table
from cnndsl.interop.darknet.cfg import parse_cfg
from cnndsl.interop.darknet.graph import darknet_network
from cnndsl.interop.darknet.stream import read_stream
from cnndsl.interop.foreign.converting import convert_weights as convert
from cnndsl.interop.foreign.layers import Layout
from cnndsl.interop.foreign.pairs import read_pairs
from cnndsl.interop.foreign.reading import read_foreign
from cnndsl.interop.onnx.exporting import write_onnx
from cnndsl.interop.onnx.importing import Imported, import_model
from cnndsl.interop.onnx.reading import OnnxError, read_onnx
from cnndsl.interop.safetensors_file import save_safetensors
from cnndsl.interop.weights import FloatArray, take_weights
from cnndsl.limits import Limits
from cnndsl.source import Source

if TYPE_CHECKING:
    from cnndsl.ir.network import Network
    from cnndsl.model import Model

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class ImportedNetwork:
    """
    What another tool's file holds.

    `cnndsl.compile(net.network, net.weights)` makes it run; `net.network.source.text` is the table.
    """

    network: Network
    weights: Mapping[str, FloatArray]

    def save_weights(self, path: PathLike) -> None:
        """Write the weights as a safetensors file. Raises `FileError`."""
        save_safetensors(Path(path), self.weights, {})

    def __repr__(self) -> str:
        rows, params = len(self.network), self.network.params
        return f"<cnndsl.ImportedNetwork {self.network.name}: {rows} rows, {params:,} parameters>"


def from_onnx(
    path: PathLike, *, name: str | None = None, limits: Limits | None = None
) -> ImportedNetwork:
    """
    Read an ONNX model.

    It takes the arrays that the model takes: its input rows say `layout=nchw`. Raises a `CnnError`
    that lists every node that no row can say, and `MissingExtra` where onnx is not installed. The
    network is called `name`, or like the file.
    """
    require_path(path, "an ONNX model is a file's path", 'cnndsl.from_onnx("model.onnx")')
    file = Path(path)
    imported = import_model(read_onnx(file))
    for output in imported.outputs:
        if output.constant is not None:
            raise OnnxError(f"the output {output.name!r} does not depend on the input")
    return network_of(imported, name or file.stem, f"Imported from {file.name}.", limits)


def to_onnx(model: Model | ImportedNetwork, path: PathLike) -> None:
    """
    Write a model, or what was imported, as an ONNX file.

    It takes any batch, in the input row's layout. Raises a `CnnError` where ONNX has no form of an
    operator, and `MissingExtra` where onnx is not installed.
    """
    require_path(path, "an ONNX model is written to a file's path", 'to_onnx(model, "model.onnx")')
    if not hasattr(model, "weights"):
        raise CnnError(
            f"a model has weights, and a value of type {type(model).__name__} has none",
            fixes=["cnndsl.to_onnx(cnndsl.compile(net, weights), path)"],
        )
    write_onnx(model.network, model.weights, Path(path))


def convert_weights(
    path: PathLike,
    network: Network,
    *,
    pairs: PathLike | None = None,
    layout: Layout | None = None,
    epsilon: float | None = None,
) -> dict[str, FloatArray]:
    """
    Weights of PyTorch, Keras, NumPy or safetensors files as a network's own.

    `pairs` is a file of lines `ROW = LAYER` for rows whose layers shapes, order and names do not
    tell. `layout` and `epsilon` are as on the command line. Raises `WeightsError`, and
    `MissingExtra` where a package is needed for the file.
    """
    require_path(path, "weights are a file's path", 'convert_weights("model.safetensors", net)')
    foreign = read_foreign(Path(path))
    made = None if pairs is None else read_pairs(Path(pairs))
    return dict(convert(foreign, network, made, layout, epsilon).weights)


def from_darknet(
    path: PathLike,
    weights: PathLike | None = None,
    *,
    name: str | None = None,
    limits: Limits | None = None,
) -> ImportedNetwork:
    """
    Read a Darknet `.cfg` and, where they are given, the network's `.weights`.

    What a `yolo` or `region` section would decode is an output. Raises a `CnnError` that lists all
    that no row can say.
    """
    require_path(path, "a Darknet network is a file's path", 'cnndsl.from_darknet("yolo.cfg")')
    file = Path(path)
    found = darknet_network(parse_cfg(read_source(file, limits)))
    table = write_folded_table(name or file.stem, found.graph, f"Imported from {file.name}.")
    network = load_network(Source(f"{name or file.stem}.cnn", table.text), limits)
    if weights is None:
        return ImportedNetwork(network, {})
    arrays = table.renamed(read_stream(Path(weights), found.slots))
    return ImportedNetwork(network, take_weights(arrays, network.param_table))


def network_of(
    imported: Imported, name: str, comment: str = "", limits: Limits | None = None
) -> ImportedNetwork:
    """An imported graph as a checked network: it is written as a table, and that is read."""
    table = write_folded_table(name, imported.graph, comment)
    network = load_network(Source(f"{name}.cnn", table.text), limits)
    weights = table.renamed(imported.weights)
    return ImportedNetwork(network, take_weights(weights, network.param_table))
