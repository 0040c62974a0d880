"""Weights: read, checked against a network, or drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import Diagnostic, Fix, WeightsError
from cnndsl.interop.misnamed import likely_names, row_of
from cnndsl.interop.safetensors_file import open_safetensors
from cnndsl.ops.base import Param

FloatArray = NDArray[np.float32]
Params = Mapping[str, Param]

_CONVERT = "cnndsl import weights {} --for SPEC -o OUT.safetensors converts other frameworks' files"

_TOO_LARGE = "it has numbers that are too large for float32"

_CONSTANTS: Mapping[str, float] = {"zeros": 0.0, "ones": 1.0, "quarter": 0.25}


def read_weights(path: Path, params: Params) -> dict[str, FloatArray]:
    """
    A safetensors file's tensors as float32, checked against `params`.

    Where the file holds float32, its tensors are mapped, not copied. Raises `FileError` for a file
    that cannot be opened, and `WeightsError` with a finding for each tensor that is missing, left
    over, or of a wrong shape or element type.
    """

    def refuse(reason: str) -> WeightsError:
        message = f"cannot read the weights in {path}: {reason}"
        return WeightsError(message, code="E402", fixes=[_CONVERT.format(path)])

    tensors = open_safetensors(path, refuse).tensors
    if params and tensors and not params.keys() & tensors.keys():
        message = f"none of the {len(tensors)} tensors in {path} is called like a row's"
        raise WeightsError(message, fixes=[_CONVERT.format(path)])
    wrong_types = {
        name: f"it holds {tensor.dtype}, and weights are floats"
        for name, tensor in tensors.items()
        if not tensor.is_float
    }
    found = {name: tensor.float32() for name, tensor in tensors.items() if tensor.is_float}
    for name in [name for name, tensor in tensors.items() if tensor.overflows]:
        wrong_types[name] = _TOO_LARGE
        del found[name]
    return _finite(_checked(found, params, str(path), wrong_types), str(path))


def take_weights(arrays: Mapping[str, Any], params: Params) -> dict[str, FloatArray]:
    """Arrays by name as float32, checked against `params`. Raises `WeightsError`."""
    wrong_types: dict[str, str] = {}
    found: dict[str, FloatArray] = {}
    names: list[Any] = list(arrays)
    for name in names:
        if not isinstance(name, str):
            raise WeightsError(
                f"weights are called by texts, and {name!r} is none",
                fixes=['{"C1.weight": array, "C1.bias": array, ...}'],
            )
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind not in "fiu":
            wrong_types[name] = f"it holds {array.dtype}, and weights are floats"
        else:
            # A copy, always: a later change of the caller's array must not reach the model.
            with np.errstate(over="ignore"):
                found[name] = np.array(array, np.float32, order="C")
            found[name].flags.writeable = False
            if array.dtype.itemsize > 4 and np.any(np.isinf(found[name]) & np.isfinite(array)):
                wrong_types[name] = _TOO_LARGE
                del found[name]
    return _finite(_checked(found, params, "the mapping", wrong_types), "the mapping")


def check_weights(
    arrays: Mapping[str, FloatArray], params: Params, origin: str
) -> dict[str, FloatArray]:
    """Float32 arrays that are taken as they are, checked against `params`."""
    return _checked(dict(arrays), params, origin, {})


def _finite(weights: dict[str, FloatArray], origin: str) -> dict[str, FloatArray]:
    """
    The weights. Raises `WeightsError` where some are NaN or infinite, which spoils every output.

    The least and the largest number tell, and take no memory: NaN is both.
    """
    findings = [
        _not_finite(name, array, origin)
        for name, array in weights.items()
        if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max()))
    ]
    if findings:
        raise WeightsError.of(findings)
    return weights


def _not_finite(name: str, array: FloatArray, origin: str) -> Diagnostic:
    wrong = ~np.isfinite(array)
    count, nans = np.count_nonzero(wrong), np.count_nonzero(np.isnan(array))
    kind = "NaN" if nans == count else "NaN or infinite" if nans else "infinite"
    share = f"{count:,} of its {array.size:,} numbers in {origin}"
    first = ", ".join(map(str, np.argwhere(wrong)[0]))
    return Diagnostic(
        "E404",
        f"{name}: {share} {'is' if count == 1 else 'are'} {kind}, the first at [{first}]",
        row=row_of(name) or None,
        fixes=(Fix("a checkpoint from before the training diverged, or the file copied again"),),
    )


def seeded_weights(params: Params, seed: int) -> dict[str, FloatArray]:
    """
    Weights drawn from a seed: the same for the same seed and name on every machine.

    Each parameter says how it is drawn (`Param.init`); a tensor's numbers do not depend on which
    other tensors there are.
    """
    weights = {name: _drawn(name, param, seed) for name, param in params.items()}
    for array in weights.values():
        array.flags.writeable = False
    return weights


def _drawn(name: str, param: Param, seed: int) -> FloatArray:
    if param.init in _CONSTANTS:
        return np.full(param.shape, _CONSTANTS[param.init], np.float32)
    rng = np.random.default_rng([seed, crc32(name.encode())])
    if param.init == "signs":
        return rng.choice(np.array([-1, 1], np.float32), param.shape)
    values = rng.standard_normal(param.shape, np.float32)
    values *= np.float32(np.sqrt(2 / param.fan_in))
    if param.mask is not None:
        values *= param.mask
    return values


def _checked(
    found: dict[str, FloatArray], params: Params, origin: str, wrong_types: Mapping[str, str]
) -> dict[str, FloatArray]:
    findings: list[Diagnostic] = []

    def report(name: str, message: str, *fixes: str) -> None:
        row = row_of(name) or None
        mends = tuple(Fix(fix) for fix in fixes)
        findings.append(Diagnostic("E401", f"{name}: {message}", row=row, fixes=mends))

    left_over = {name: array.shape for name, array in found.items() if name not in params}
    lacking = {
        name: param.shape
        for name, param in params.items()
        if name not in found and name not in wrong_types
    }
    misnamed = likely_names(lacking, left_over, set(map(row_of, params)))
    for name, param in params.items():
        if name in wrong_types:
            report(name, wrong_types[name])
        elif name in lacking:
            near = misnamed.get(name)
            rename = [f"rename {near!r}, which no row expects"] if near else []
            report(name, f"{origin} lacks it; its shape is {list(param.shape)}", *rename)
        elif found[name].shape != param.shape:
            shape = list(found[name].shape)
            report(
                name,
                f"its shape is {shape} in {origin}, and the row expects {list(param.shape)}",
                *_shape_fixes(found[name].shape, param.shape),
            )
        elif param.mask is not None and np.any(found[name][~param.mask]):
            report(name, "entries between maps that are not connected must be 0")
    for name in [*found, *wrong_types]:
        if name not in params and name not in misnamed.values():
            report(name, f"{origin} has it, and no row expects it")
    if findings:
        if len(findings) > len(params):
            meant = Fix("the weights of this network: these look like another's")
            findings[0] = replace(findings[0], fixes=(*findings[0].fixes, meant))
        raise WeightsError.of(findings)
    return {name: found[name] for name in params}


def _shape_fixes(found: tuple[int, ...], expected: tuple[int, ...]) -> list[str]:
    """What is likely the matter where one shape is a transposition of the other."""
    if len(found) == 4 and (found[3], found[2], found[0], found[1]) == expected:
        return ["it looks like [kh, kw, in, out] (TensorFlow, Keras): transpose(3, 2, 0, 1)"]
    if len(found) == 2 and found[::-1] == expected:
        return ["it looks like [in, out] (TensorFlow, Keras): transpose it"]
    return []
