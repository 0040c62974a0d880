"""What a target could choose from for a network's rows: told, and measured where that is asked."""

from __future__ import annotations

from cnndsl.backends.choosing import Considered, Explainer, Placed, Tunable, Tuned
from cnndsl.cli.terminal import Terminal
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.ir.infer import infer_types, operand_types


def considered_for(compilation: Compilation, row: str) -> tuple[Considered, ...]:
    """All algorithms that the target considered for a row; none where it has no choice."""
    backend = compilation.backend
    if not isinstance(backend, Explainer):
        return ()
    nodes = [placed for placed in _placed(compilation) if placed[0].row == row]
    return tuple(found for placed in nodes for found in backend.considered(*placed))


def describe(found: Considered) -> str:
    """
    An algorithm, its figures and what became of it, in a line.

    >>> describe(Considered("conv_direct", False, "slower", 1.0, 1.25, "arithmetic", 1.2))
    'conv_direct: estimated 1.250 ms (arithmetic), measured 1.200 ms: slower'
    >>> describe(Considered("dense", False, "only windows of the whole image"))
    'dense: only windows of the whole image'
    """
    figures: list[str] = []
    if found.estimated_ms is not None:
        figures.append(f"estimated {found.estimated_ms:.3f} ms ({found.bound})")
    if found.measured_ms is not None:
        figures.append(f"measured {found.measured_ms:.3f} ms")
    if found.error_ratio is not None and found.error_ratio != 1.0:
        figures.append(f"error up to {found.error_ratio:.1f} times a plain sum's")
    parts = [", ".join(figures), "chosen" if found.chosen else found.verdict]
    return f"{found.kernel}: {': '.join(part for part in parts if part)}"


def tune(compilation: Compilation, terminal: Terminal) -> Tuned:
    """Measure all that the target can choose from. Raises `TargetError` where it cannot."""
    backend = compilation.backend
    if not isinstance(backend, Tunable):
        raise TargetError(
            f"the target {compilation.target} has nothing to choose from by measurement",
            code="E702",
            fixes=["the target cpu"],
        )
    nodes = _placed(compilation)
    with terminal.progress("measured", len(nodes)) as progress:
        return backend.tune(nodes, progress.advance)


def _placed(compilation: Compilation) -> list[Placed]:
    """The nodes of the rewritten graph, with what they read."""
    types = infer_types(compilation.graph)
    return [(node, operand_types(node, types)) for node in compilation.graph.nodes]
