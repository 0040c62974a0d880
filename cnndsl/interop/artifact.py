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
    """
    What a compiled model's file holds.

    `digest` is the SHA-256 of all of it, or what the file claims to be that. `label_text` are the
    labels as they are written there.
    """

    text: str
    weights: Mapping[str, FloatArray]
    labels: tuple[str, ...] | None
    digest: str
    label_text: str


def write_artifact(
    path: Path, text: str, weights: Mapping[str, FloatArray], labels: Sequence[str] | None
) -> None:
    """Write a compiled model. The file appears whole or not at all. Raises `FileError`."""
    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    names = json.dumps(list(labels)) if labels is not None else ""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashlib releases the interpreter's lock
        hashes = dict(zip(arrays, pool.map(_hash, arrays.values()), strict=True))
    metadata = {
        "kind": _KIND,
        "format": str(FORMAT),
        "network": text,
        "labels": names,
        "sha256": _digest(text, names, arrays, hashes),
    }
    save_safetensors(path, arrays, metadata)


def read_artifact(path: Path) -> Artifact:
    """
    Map a compiled model's file and check all its content against its hash.

    Raises `FileError` where it cannot be opened, and `ArtifactError`: E501 for a foreign file, E502
    for a truncated or damaged one, E503 where the content was changed, E504 for a newer format.
    """
    artifact = open_artifact(path)
    with ContentCheck(path, artifact) as check:
        check.finish()
    return artifact


def open_artifact(path: Path) -> Artifact:
    """Map a compiled model's file as `read_artifact`, all but the check of its content."""

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
    if any(tensor.dtype != "F32" for tensor in file.tensors.values()):
        raise _changed(path)
    text, names = file.metadata.get("network", ""), file.metadata.get("labels", "")
    try:
        labels = tuple(str(label) for label in json.loads(names)) if names else None
    except (ValueError, TypeError, RecursionError):
        raise _changed(path) from None
    weights = {name: tensor.float32() for name, tensor in file.tensors.items()}
    return Artifact(text, weights, labels, file.metadata.get("sha256", ""), names)


class ContentCheck:
    """
    The check of a file's content against its hash, begun beside what else its reader has to do.

    Nothing that is made of the file may be given away or kept before `finish` has returned.
    """

    def __init__(self, path: Path, artifact: Artifact) -> None:
        self._path, self._artifact = path, artifact
        self._is_done = False
        # hashlib releases the interpreter's lock. One thread less than processors: this one helps.
        self._pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1))
        self._hashes = [self._pool.submit(_hash, array) for array in artifact.weights.values()]

    def __enter__(self) -> ContentCheck:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def finish(self) -> None:
        """Help to check what is left. Raises `ArtifactError` where the content was changed."""
        if self._is_done:
            return
        artifact, hashes = self._artifact, dict[str, str]()
        todo = list(zip(artifact.weights.items(), self._hashes, strict=True))
        for (name, array), future in reversed(todo):  # the others begin at the front
            if future.cancel():
                hashes[name] = _hash(array)
        for (name, _), future in todo:
            if name not in hashes:
                hashes[name] = future.result()
        if _digest(artifact.text, artifact.label_text, artifact.weights, hashes) != artifact.digest:
            raise _changed(self._path)
        self._is_done = True


def _changed(path: Path) -> ArtifactError:
    return ArtifactError(
        f"{path} was changed after it was written: its content does not match its hash",
        code="E503",
        fixes=["compile it again from its spec and weights"],
    )


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


def _digest(
    text: str, labels: str, weights: Mapping[str, FloatArray], hashes: Mapping[str, str]
) -> str:
    """SHA-256 over everything that the file means, of whose weights the hashes are known."""
    tensors = [[name, list(array.shape), hashes[name]] for name, array in weights.items()]
    content = json.dumps([FORMAT, text, labels, sorted(tensors)])
    return hashlib.sha256(content.encode()).hexdigest()


def _hash(array: FloatArray) -> str:
    digest = hashlib.sha256(array.data).hexdigest()
    release(array)  # a target reads again what it needs, and may need fewer bits of it
    return digest
