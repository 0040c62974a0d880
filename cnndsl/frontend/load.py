"""From a `.cnn` text to a checked network: parse, then elaborate."""

from __future__ import annotations

from cnndsl.frontend.elaborate import elaborate
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.foreign_text import refuse_foreign_text
from cnndsl.frontend.parse import parse
from cnndsl.frontend.reading import decode_source, read_source
from cnndsl.ir.network import Network
from cnndsl.limits import Limits
from cnndsl.source import Source

__all__ = ["decode_source", "load_network", "read_source"]


def load_network(source: Source, limits: Limits | None = None) -> Network:
    """
    The network that a text describes, every claim of it checked.

    Raises `SpecError` with all that is wrong with the text, `LimitError` for a text or a network
    that is too large.

    >>> text = '''cnn 1
    ... layer  type    maps  size   kernel
    ... In     input   1     28x28
    ... C1     conv    6     24x24  5x5
    ... '''
    >>> load_network(Source("small.cnn", text))["C1"].shape
    (24, 24, 6)
    """
    refuse_foreign_text(source)
    findings = Findings()
    return elaborate(parse(source, findings, limits), findings, limits)
