"""The Python API: parse a table and compile it; `loading` reads what was compiled."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cnndsl.compiler import Compilation
from cnndsl.errors import CnnError, FileError, WeightsError
from cnndsl.files import near_files, require_path
from cnndsl.frontend.load import load_network, read_source
from cnndsl.interop.weights import (
    FloatArray,
    read_weights,
    seeded_weights,
    take_weights,
)
from cnndsl.ir.network import Network
from cnndsl.labels import read_labels
from cnndsl.limits import Limits
from cnndsl.model import Model
from cnndsl.ops.kinds import shown
from cnndsl.resources import resource, shipped_specs
from cnndsl.source import Source
from cnndsl.targets import thread_count, whole_number
from cnndsl.types import DenseWeights, Numerics, Options, Precision

PathLike = str | os.PathLike[str]
WeightsLike = PathLike | Mapping[str, Any]

_NETWORK = "a network is a file's path, a shipped spec's name or what parse() returns"
_READS_TEXT = "cnndsl.parse(text=...) reads a text"
_COMPILES_IMPORTED = "cnndsl.compile(net.network, net.weights) of what was imported"


def parse(
    path: PathLike | None = None, *, text: str | None = None, limits: Limits | None = None
) -> Network:
    """
    Read a `.cnn` table: from a file, by the name of a shipped spec, or from `text`.

    All claims are checked. A file may include others of its folder. Raises `SpecError` with every
    finding of the table, `FileError` where the file cannot be read.

    >>> parse("alexnet").params
    62378344
    >>> parse("alexnet")["C1"].shape
    (55, 55, 96)
    """
    limits = limits or Limits()
    if (path is None) == (text is None):
        given = "neither is" if text is None else "both are"
        raise CnnError(
            f"parse takes a path or a text, and {given} given",
            fixes=['cnndsl.parse("lenet5.cnn")', "cnndsl.parse(text=...)"],
        )
    if text is not None:
        _require_text(text)
        return load_network(Source("<text>", text), limits)
    assert path is not None
    return load_network(read_source(find_spec(path), limits), limits)


def _require_text(text: object) -> None:
    if not isinstance(text, str):
        kind = type(text).__name__
        raise CnnError(f"a text is a str, not a value of type {kind}", fixes=["text.decode()"])


def find_spec(path: PathLike) -> Path:
    """The file of a spec given by path or by a shipped one's bare name. Raises `FileError`."""
    require_path(path, _NETWORK, _READS_TEXT)
    found = _shipped_or_path(path, ".cnn", resource("specs"))
    if _is_missing(found):
        raise _missing(os.fspath(path), "specs", shipped_specs())
    return found


def _missing(name: str, what: str, shipped: Sequence[str]) -> FileError:
    """The error of a file that is not there, nor among the shipped ones."""
    message = f"there is no file {shown(name)}"
    if "\n" in name:
        return FileError(message, fixes=[_READS_TEXT])
    near = [f"did you mean {known}?" for known in get_close_matches(name, shipped, 1)]
    path = Path(name)
    if path.suffix or path.name != name:
        return FileError(message, fixes=[*near_files(path), *near])
    return FileError(
        message,
        notes=[f"shipped {what}, by name: {', '.join(shipped)}"],
        fixes=near or ["a file's path, or one of these names"],
    )


def compile(
    spec: PathLike | Network,
    weights: WeightsLike | None = None,
    *,
    seed: int | None = None,
    target: str = "cpu",
    threads: int | None = None,
    numerics: Numerics = "fast",
    dense_weights: DenseWeights = "float32",
    precision: Precision = "float32",
    batch: int = 1,
    limits: Limits | None = None,
) -> Model:
    """
    Make a network run.

    `weights` is a safetensors file, the bare name of shipped weights, or a mapping of names such as
    `C1.weight` to arrays; `seed` draws He-initialised ones instead. `threads` is the most that one
    call uses, by default all processors: the result has the same bits for any number.
    `numerics="strict"` allows only kernels that sum products as the operators define them.
    `dense_weights="bfloat16"` or `"int8"` keeps fewer bits of dense rows' weights: less exact, and
    faster where one image's time is that of reading them. `Model.weights` stay as they are.
    `precision="tf32"`, `"float16"` or `"bfloat16"` rounds the factors of products for the target
    cuda's tensor cores; sums stay float32.
    `batch` is the images that a usual call has: the target cpu chooses the algorithms that are the
    fastest for so many. Others can be called too, and an image's result has the same bits in each.
    Raises `CnnError`.

    >>> model = compile("lenet5", seed=0)
    >>> model
    <cnndsl.Model 32x32x1 -> 10, cpu, threads=...>
    """
    if isinstance(spec, Network):
        network = spec
    else:
        imported = hasattr(spec, "network") and hasattr(spec, "weights")
        require_path(spec, _NETWORK, _COMPILES_IMPORTED if imported else _READS_TEXT)
        network = parse(spec, limits=limits)
    checked = _weights(network, weights, seed)
    labels = read_labels(network)
    options = Options(numerics, dense_weights, precision, batch)
    compilation = Compilation(network, target, options)
    count = thread_count(threads)
    return Model(
        lambda: network,
        signature=network.signature,
        weights=checked,
        labels=labels,
        executable=compilation.executable(checked, count),
        target=target,
        threads=count,
        options=options,
    )


def _weights(
    network: Network, weights: WeightsLike | None, seed: int | None
) -> dict[str, FloatArray]:
    params = network.param_table
    if weights is None:
        if seed is None and params:
            raise WeightsError(
                f"{network.name} needs weights: {len(params)} tensors, {network.params:,} numbers",
                fixes=["weights=FILE or a mapping of names to arrays", "seed=0 draws random ones"],
            )
        return seeded_weights(params, whole_number("seed", seed or 0, least=0))
    if seed is not None:
        raise CnnError("weights and seed exclude each other", fixes=["one of them"])
    if isinstance(weights, Mapping):
        return take_weights(weights, params)
    require_path(
        weights,
        "weights are a file's path or a mapping of names to arrays",
        '{"C1.weight": array, "C1.bias": array, ...}',
    )
    folder = resource("specs", "weights")
    path = _shipped_or_path(weights, ".safetensors", folder)
    if _is_missing(path):
        names = sorted(file.stem for file in folder.glob("*.safetensors"))
        raise _missing(os.fspath(weights), "weights", names)
    return read_weights(path, params)


def _shipped_or_path(name: PathLike, suffix: str, shipped: Path) -> Path:
    """
    A path as a user gives it: a file, or else the bare name of a shipped one.

    `shipped` is the folder of the shipped files, which end in `suffix`.
    """
    path = Path(name)
    if not path.name:
        raise FileError("the name of the file is empty", fixes=["a path, or a shipped file's name"])
    if path.name != str(name) or path.suffix or not _is_missing(path):
        return path
    inside = shipped / f"{name}{suffix}"
    return inside if inside.is_file() else path


def _is_missing(path: Path) -> bool:
    """Whether nothing is there. What may not be looked at is there: reading it says why."""
    try:
        path.stat()
    except PermissionError:
        return False
    except (OSError, ValueError):  # also what is too long to be a path, or has a zero in it
        return True
    return False
