"""Targets, each a separate room behind the protocol in `protocol.py`."""
