"""Darknet's numbers as layers to be paired with any table's rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cnndsl.interop.darknet.cfg import parse_cfg
from cnndsl.interop.darknet.graph import darknet_network
from cnndsl.interop.darknet.sections import EPSILON
from cnndsl.interop.darknet.stream import read_stream
from cnndsl.interop.foreign.layers import ForeignWeights, layers_of
from cnndsl.source import Source


def read_darknet(weights: Path, cfg: Source) -> ForeignWeights:
    """
    The layers of a `.weights`, named by the sections of the `.cfg` and in their order.

    Raises `DarknetError` and `WeightsError`.
    """
    slots = darknet_network(parse_cfg(cfg)).slots
    arrays = read_stream(weights, slots)
    # A file has a normalization's numbers before the weight or behind it: layers go by section.
    sections = list(dict.fromkeys(slot.node for slot in slots))
    names = sorted(slots, key=lambda slot: (sections.index(slot.node), slot.layer != slot.node))
    found = layers_of(str(weights), {slot.name: arrays[slot.name] for slot in names})
    layers = tuple(
        replace(layer, epsilon=EPSILON) if "variance" in layer.tensors else layer
        for layer in found.layers
    )
    return ForeignWeights(str(weights), layers, listed=True, layout="pytorch")
