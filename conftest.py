"""Doctests of modules that need packages beside the base install run where those are there."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("onnx") else ["cnndsl/interop/onnx_backend.py"]
