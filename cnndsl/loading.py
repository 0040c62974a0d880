"""From a compiled model's file to a model, on the shortest way."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cnndsl.backends.protocol import Backend, Request
from cnndsl.interop.artifact import Artifact, read_artifact
from cnndsl.interop.weights import check_weights
from cnndsl.model import Model
from cnndsl.prepared import Prepared, find_prepared, keep_prepared
from cnndsl.source import Source
from cnndsl.targets import find_backend, thread_count
from cnndsl.types import DenseWeights, Numerics, Options, Precision

if TYPE_CHECKING:
    from cnndsl.ir.network import Network


def load(
    path: str | os.PathLike[str],
    *,
    target: str = "cpu",
    threads: int | None = None,
    numerics: Numerics = "fast",
    dense_weights: DenseWeights = "float32",
    precision: Precision = "float32",
) -> Model:
    """
    Read a compiled model that `Model.save` or `cnndsl compile` wrote.

    All else is as for `cnndsl.compile`: the file knows nothing of it, and holds all weights as they
    are.
    Raises `ArtifactError` for a foreign, damaged or changed file, `FileError` for none at all.
    """
    file = Path(path)
    artifact = read_artifact(file)
    options = Options(numerics, dense_weights, precision)
    backend = find_backend(target, options)
    count = thread_count(threads)
    source = Source(str(file), artifact.text)
    network = partial(_network, source)
    if isinstance(backend, Backend):
        prepared = _prepared(artifact, backend, options, source)
        weights = check_weights(artifact.weights, prepared.params, str(file))
        executable = backend.load(Request(prepared.plan, weights, count))
        signature = prepared.signature
    else:
        parsed = network()
        weights = check_weights(artifact.weights, parsed.param_table, str(file))
        executable = backend.interpret(parsed, weights)
        signature = parsed.signature
    return Model(
        network,
        signature=signature,
        weights=weights,
        labels=artifact.labels,
        executable=executable,
        target=target,
        threads=count,
        options=options,
    )


def _prepared(artifact: Artifact, backend: Backend, options: Options, source: Source) -> Prepared:
    """The plan and what belongs to it: from the cache, or made and kept there."""
    fingerprint = backend.fingerprint()
    prepared = find_prepared(artifact.text, fingerprint)
    if prepared is None:
        # Imported here: a model that is found prepared spares the planner and the graph library.
        from cnndsl.compiler import Compilation

        network = _network(source)
        plan = Compilation(network, backend.name, options).plan
        prepared = Prepared(plan, network.param_table, network.signature)
        keep_prepared(artifact.text, fingerprint, prepared)
    return prepared


def _network(source: Source) -> Network:
    # Imported here: a model that is found prepared spares the parser until someone asks.
    from cnndsl.frontend.load import load_network

    return load_network(source)
