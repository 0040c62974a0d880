"""ONNX's backend suite, run case by case through the interface that it documents."""

from __future__ import annotations

import os
import unittest
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from onnx.backend.base import Backend
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests

from cnndsl.errors import CnnError
from cnndsl.interop.onnx.importers import IMPORTERS

KINDS = ("node", "pytorch-converted", "pytorch-operator")
SEVERAL = "several operators"


@dataclass(frozen=True, slots=True)
class SuiteCase:
    """A case of the suite: what it is called there, and the operators of its model."""

    name: str
    kind: str
    operators: frozenset[str]

    @property
    def row(self) -> str:
        """The operator that it is about."""
        return next(iter(self.operators)) if len(self.operators) == 1 else SEVERAL

    @property
    def supported(self) -> bool:
        """Whether all of its operators have rows."""
        return bool(self.operators) and self.operators <= set(IMPORTERS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: `passed`, `skipped` with the reason, or `failed` with what happened."""

    case: SuiteCase
    result: str
    reason: str = ""


def suite_cases() -> list[SuiteCase]:
    """The suite's cases on the CPU, in order of their names."""
    found: list[SuiteCase] = []
    for kind in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the suite divides by zero while it is made
            tests = load_model_tests(kind=kind)
        for test in tests:
            model = test.model or onnx.load(f"{test.model_dir}/model.onnx")
            operators = {node.op_type for node in model.graph.node} - {"Constant"}
            found.append(SuiteCase(f"{test.name}_cpu", kind, frozenset(operators)))
    return sorted(found, key=lambda case: case.name)


def stored_networks() -> list[SuiteCase]:
    """The suite's real networks as they are stored, with constant weights."""
    tests = load_model_tests(kind="real")
    return [SuiteCase(f"{test.name}_cpu", "real", frozenset()) for test in tests]


def run_suite(backend: type[Backend], cases: list[SuiteCase]) -> Iterator[Outcome]:
    """What comes of the cases. One that a `CnnError` refuses is skipped for the error's reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = {test.id().rpartition(".")[2]: test for test in _tests(BackendTest(backend))}
    with TemporaryDirectory() as folder, _variable("ONNX_MODELS", folder):
        for case in cases:
            yield _outcome(case, tests[case.name])


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """An environment variable for a while: the suite copies real networks to the folder it says."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _outcome(case: SuiteCase, test: unittest.TestCase) -> Outcome:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            test.debug()
    except CnnError as error:
        return Outcome(case, "skipped", "; ".join(d.message for d in error.diagnostics))
    except unittest.SkipTest as error:
        return Outcome(case, "skipped", str(error))
    except Exception as error:
        return Outcome(case, "failed", f"{type(error).__name__}: {error}")
    return Outcome(case, "passed")


def _tests(suite: Any) -> Iterator[unittest.TestCase]:
    for test in suite.test_suite:
        yield from test if isinstance(test, unittest.TestSuite) else [test]
