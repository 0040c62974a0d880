"""From a compiled model's file to a model, on the shortest way."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.protocol import (
    Backend,
    Executable,
    Interpreter,
    Keepable,
    Request,
    Restoring,
    expecting,
)
from cnndsl.files import require_path
from cnndsl.interop.artifact import Artifact, ContentCheck, open_artifact
from cnndsl.interop.weights import check_weights
from cnndsl.ir.signature import Signature
from cnndsl.model import Model
from cnndsl.prepared import (
    Prepared,
    find_prepared,
    keep_prepared,
    prepared_key,
    signature_data,
    signature_of,
)
from cnndsl.source import Source
from cnndsl.targets import find_backend, thread_count
from cnndsl.types import DenseWeights, Numerics, Options, Precision

if TYPE_CHECKING:
    from cnndsl.ir.network import Network


class _Ready(NamedTuple):
    """What a model is made of."""

    executable: Executable
    weights: Mapping[str, NDArray[np.float32]]
    signature: Signature


def load(
    path: str | os.PathLike[str],
    *,
    target: str = "cpu",
    threads: int | None = None,
    numerics: Numerics = "fast",
    dense_weights: DenseWeights = "float32",
    precision: Precision = "float32",
    batch: int = 1,
) -> Model:
    """
    Read a compiled model that `Model.save` or `cnndsl compile` wrote.

    All else is as for `cnndsl.compile`: the file knows nothing of it, and holds all weights as they
    are.
    Raises `ArtifactError` for a foreign, damaged or changed file, `FileError` for none at all.
    """
    require_path(path, "a compiled model is a file's path", 'cnndsl.load("model.cnnm")')
    file = Path(path)
    options = Options(numerics, dense_weights, precision, batch)
    artifact = open_artifact(file)
    with ContentCheck(file, artifact) as check:  # beside all that is made of the content meanwhile
        try:
            backend = find_backend(target, options)
            count = thread_count(threads)
            network = partial(_network, Source(str(file), artifact.text))
            if isinstance(backend, Backend):
                loading = _Loading(artifact, backend, network, options, count, str(file))
                ready = loading.ready(check.finish)
            else:
                ready = _interpreted(backend, network(), artifact, str(file))
        except Exception:
            check.finish()  # what was changed need not even be a network
            raise
        check.finish()
    return Model(
        network,
        signature=ready.signature,
        weights=ready.weights,
        labels=artifact.labels,
        executable=ready.executable,
        target=target,
        threads=count,
        options=options,
    )


@dataclass(frozen=True)
class _Loading:
    """A compiled model on its way to a target that runs plans."""

    artifact: Artifact
    backend: Backend
    network: Callable[[], Network]
    options: Options
    threads: int
    origin: str

    def ready(self, check: Callable[[], None]) -> _Ready:
        """
        What the cache holds whole, else what is made of its parts, or of the table.

        Nothing is kept of weights before `check` has found them unchanged.
        """
        return self._restored() or self._made(check)

    @cached_property
    def _plan_key(self) -> bytes:
        return prepared_key(self.artifact.text, self.backend.fingerprint())

    @property
    def _key(self) -> bytes:
        return hashlib.sha256(self._plan_key + self.artifact.digest.encode()).digest()

    def _restored(self) -> _Ready | None:
        if not isinstance(self.backend, Restoring):
            return None
        weights = self.artifact.weights
        found = self.backend.restore(self._key, weights, self.threads, self._request)
        if found is None:
            return None
        executable, note = found
        weights = {name: weights[name] for name in note["weights"]}
        return _Ready(executable, weights, signature_of(note["signature"]))

    def _made(self, check: Callable[[], None]) -> _Ready:
        known = find_prepared(self._plan_key)
        with nullcontext() if known else expecting(self.backend):
            prepared = known or self._prepare()
            weights = check_weights(self.artifact.weights, prepared.params, self.origin)
            executable = self.backend.load(Request(prepared.plan, weights, self.threads))
        # What is loaded for the first time may be loaded once only, and is not worth the disk.
        if known is not None and isinstance(executable, Keepable):
            check()
            note = {"weights": list(weights), "signature": signature_data(prepared.signature)}
            executable.keep(self._key, weights, note)
        return _Ready(executable, weights, prepared.signature)

    def _request(self) -> Request:
        """What a restored model's target makes all else of."""
        prepared = find_prepared(self._plan_key) or self._prepare()
        return Request(prepared.plan, self.artifact.weights, self.threads)

    def _prepare(self) -> Prepared:
        """The plan and what belongs to it, which the cache then holds."""
        # Imported here: a model that is found prepared spares the planner and the graph library.
        from cnndsl.compiler import Compilation

        network = self.network()
        plan = Compilation(network, self.backend.name, self.options).plan
        prepared = Prepared(plan, network.param_table, network.signature)
        keep_prepared(self._plan_key, prepared)
        return prepared


def _interpreted(backend: Interpreter, network: Network, artifact: Artifact, origin: str) -> _Ready:
    weights = check_weights(artifact.weights, network.param_table, origin)
    return _Ready(backend.interpret(network, weights), weights, network.signature)


def _network(source: Source) -> Network:
    # Imported here: a model that is found prepared spares the parser until someone asks.
    from cnndsl.frontend.load import load_network

    return load_network(source)
