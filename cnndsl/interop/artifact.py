"""
A compiled model's file, `.cnnm`: a safetensors file, so data that is safe to open.

Its metadata holds the canonical `.cnn` text, the classes' names, a format version and a SHA-256 of
all content. It holds no machine code: that is made anew, or found in the user's own cache.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import ArtifactError
from cnndsl.interop.pages import release
from cnndsl.interop.safetensors_file import SafetensorsFile, open_safetensors, save_safetensors

FloatArray = NDArray[np.float32]
FORMAT = 1
_KIND = "cnndsl compiled model"


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a compiled model's file holds. `digest` is the SHA-256 of all of it."""

    text: str
    weights: Mapping[str, FloatArray]
    labels: tuple[str, ...] | None
    digest: str


def write_artifact(
    path: Path, text: str, weights: Mapping[str, FloatArray], labels: Sequence[str] | None
) -> None:
    """Write a compiled model. The file appears whole or not at all. Raises `FileError`."""
    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    names = json.dumps(list(labels)) if labels is not None else ""
    metadata = {
        "kind": _KIND,
        "format": str(FORMAT),
        "network": text,
        "labels": names,
        "sha256": _digest(text, names, arrays),
    }
    save_safetensors(path, arrays, metadata)


def read_artifact(path: Path) -> Artifact:
    """
    Map a compiled model's file and check all its content against its hash.

    Raises `FileError` where it cannot be opened, and `ArtifactError`: E501 for a foreign file, E502
    for a truncated or damaged one, E503 where the content was changed, E504 for a newer format.
    """

    def damaged(reason: str) -> ArtifactError:
        return ArtifactError(
            f"cannot read the compiled model {path}: {reason}",
            code="E502",
            fixes=["cnndsl compile SPEC --weights FILE -o MODEL.cnnm makes one"],
        )

    if path.suffix == ".cnn" and path.is_file():
        raise ArtifactError(
            f"{path} is a table, and not a compiled model",
            fixes=[f"cnndsl.compile({str(path)!r}, weights=...), or cnndsl compile {path}"],
        )
    file = open_safetensors(path, damaged)
    _check_kind(path, file)
    weights = {
        name: tensor.float32() for name, tensor in file.tensors.items() if tensor.dtype == "F32"
    }
    text, names = file.metadata.get("network", ""), file.metadata.get("labels", "")
    digest = _digest(text, names, weights)
    if len(weights) != len(file.tensors) or digest != file.metadata.get("sha256"):
        raise ArtifactError(
            f"{path} was changed after it was written: its content does not match its hash",
            code="E503",
            fixes=["compile it again from its spec and weights"],
        )
    labels = tuple(str(label) for label in json.loads(names)) if names else None
    return Artifact(text, weights, labels, digest)


def _check_kind(path: Path, file: SafetensorsFile) -> None:
    if file.metadata.get("kind") != _KIND:
        raise ArtifactError(
            f"{path} is a safetensors file, and not a compiled model",
            fixes=[f"cnndsl compile SPEC --weights {path} -o MODEL.cnnm makes one of weights"],
        )
    version = file.metadata.get("format", "")
    if version != str(FORMAT):
        raise ArtifactError(
            f"{path} has format {version!r}, and this version of cnndsl reads format {FORMAT}",
            code="E504",
            fixes=["install a newer cnndsl, or compile the spec again"],
        )


def _digest(text: str, labels: str, weights: Mapping[str, FloatArray]) -> str:
    """SHA-256 over everything that the file means."""
    # hashlib releases the interpreter's lock, so that the tensors are hashed side by side.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = list(pool.map(_hash, weights.values()))
    tensors = [
        [name, list(array.shape), tensor_hash]
        for (name, array), tensor_hash in zip(weights.items(), hashes, strict=True)
    ]
    content = json.dumps([FORMAT, text, labels, sorted(tensors)])
    return hashlib.sha256(content.encode()).hexdigest()


def _hash(array: FloatArray) -> str:
    digest = hashlib.sha256(array.data).hexdigest()
    release(array)  # a target reads again what it needs, and may need fewer bits of it
    return digest
