"""
A Darknet network as a graph of rows, and which numbers of its `.weights` are whose.

Every section is a row, named by its kind and a number; what Darknet counts in relative section
numbers (`route`, `shortcut`) is a name here. A `yolo`, `region`, `detection` or `cost` section
decodes or scores the numbers of the section before: those numbers are an output of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cnndsl.errors import CnnError, Diagnostic
from cnndsl.interop.darknet import sections as rows
from cnndsl.interop.darknet.builder import Builder, Slot
from cnndsl.interop.darknet.cfg import DarknetError, Section
from cnndsl.ir.graph import Graph

_TRAINING = frozenset(
    word
    for line in (
        "batch subdivisions momentum decay angle saturation exposure hue learning_rate burn_in",
        "max_batches policy steps scales max_crop min_crop aspect rotate flip gamma power cutmix",
        "mosaic mixup letter_box optimized_memory dynamic_minibatch workspace_size_limit_mb",
        "ema_alpha label_smooth_eps loss_scale adam b1 b2 eps try_fix_nan max_ratio center",
        "stopbackward burnin_update learning_rate_min sgdr_cycle random",
        "batch_step num_steps train_only_bn",
    )
    for word in line.split()
)
"""Options that do not change what a trained network computes."""

_ROWS: Mapping[str, Callable[[Section, Builder], str]] = {
    "convolutional": rows.convolutional,
    "conv": rows.convolutional,
    "maxpool": rows.max_pool,
    "max": rows.max_pool,
    "avgpool": rows.average_pool,
    "avg": rows.average_pool,
    "upsample": rows.upsample,
    "route": rows.route,
    "shortcut": rows.shortcut,
    "connected": rows.connected,
    "conn": rows.connected,
    "softmax": rows.softmax,
    "soft": rows.softmax,
    "dropout": rows.dropout,
    "activation": rows.activation,
    "reorg": rows.reorg,
}
_OUTPUTS = ("yolo", "region", "detection", "cost")


@dataclass(frozen=True)
class DarknetNetwork:
    """A graph whose nodes are rows, and the places of its parameters in a `.weights`, in order."""

    graph: Graph
    slots: tuple[Slot, ...]


def darknet_network(sections: Sequence[Section]) -> DarknetNetwork:
    """The network of a `.cfg`. Raises `DarknetError` that lists all that no row can say."""
    return _Import(sections).run()


@dataclass
class _Import:
    sections: Sequence[Section]
    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])
    outputs: list[str] = field(default_factory=list[str])

    def run(self) -> DarknetNetwork:
        net, *rest = self.sections
        builder = rows.network_input(net)
        self.problems += net.unread(_TRAINING | {"channels"})
        self._require_known(rest)
        for section in rest:
            self._read(section, builder)
        if self.problems:
            raise DarknetError.of(self.problems)
        graph = Graph(tuple(builder.nodes), tuple(self.outputs or [builder.last]))
        dead = {node.name for node in graph.dead()}
        if dead & {slot.node for slot in builder.slots}:
            # Darknet stores their numbers all the same; a table of what is computed cannot.
            names = ", ".join(sorted(dead))
            raise DarknetError(f"no output depends on {names}")
        alive = tuple(node for node in graph.nodes if node.name not in dead)
        return DarknetNetwork(Graph(alive, graph.outputs), tuple(builder.slots))

    def _require_known(self, sections: Sequence[Section]) -> None:
        """Raise `DarknetError` for all sections of kinds that no row computes."""
        known = {*_ROWS, *_OUTPUTS}
        unknown = [section for section in sections if section.kind not in known]
        if unknown:
            raise DarknetError.of(
                section.error("no row computes it").diagnostics[0] for section in unknown
            )

    def _read(self, section: Section, builder: Builder) -> None:
        if section.kind in _OUTPUTS:
            builder.results.append(builder.results[-1])
            if builder.results[-1] not in self.outputs:
                self.outputs.append(builder.results[-1])
            return
        try:
            result = _ROWS[section.kind](section, builder)
        except CnnError as error:
            placed = error.at(section.span)
            self.problems += [
                Diagnostic("E806", d.message, d.span, notes=d.notes) for d in placed.diagnostics
            ]
            # Sections behind it are read all the same, as if it were not there.
            result = builder.results[-1]
        else:
            self.problems += section.unread(_TRAINING)
        builder.results.append(result)
