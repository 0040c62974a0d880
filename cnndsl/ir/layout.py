"""Where the rows of a network stand when they are drawn: in layers, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Point = tuple[float, float]

# What stands in a layer: a box, or the place where an edge (from, to, layer) passes it.
_Bend: TypeAlias = "tuple[str, str, int]"
_Item: TypeAlias = "str | _Bend"

# Edges that pass more layers than this in all are drawn straight: rows are hostile input.
_MOST_BENDS = 20_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """Measures in pixels: a box, the gaps between boxes, and the room for an edge that passes."""

    width: float
    height: float
    gap: float = 28.0
    rise: float = 30.0
    bend: float = 36.0


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Centres of boxes and, for each edge (from, to), the centres of the layers that it passes.

    The drawing's corner is the origin; `width` and `height` hold all boxes and edges.
    """

    boxes: Mapping[str, Point]
    bends: Mapping[tuple[str, str], tuple[Point, ...]]
    width: float
    height: float


def lay_out(parents: Mapping[str, Sequence[str]], sizes: Sizes) -> Layout:
    """
    Place boxes, each one layer below the lowest of its parents, branches side by side.

    `parents` lists the boxes in an order in which each comes after its parents. Within a layer,
    order and place follow the parents', so a chain is straight and a branch stays on its side.
    """
    depth: dict[str, int] = {}
    for name, above in parents.items():
        depth[name] = max((depth[parent] + 1 for parent in above), default=0)
    layers, sources = _layers(parents, depth)
    x: dict[_Item, float] = {}
    for items in layers:
        x.update(_place(items, sources, x, sizes))
    left = min((x[i] - _room(i, sizes) / 2 for i in x), default=0.0)
    right = max((x[i] + _room(i, sizes) / 2 for i in x), default=0.0)

    def point(item: _Item, layer: int) -> Point:
        return x[item] - left, sizes.height / 2 + layer * (sizes.height + sizes.rise)

    bends = {
        (parent, name): tuple(
            point((parent, name, layer), layer)
            for layer in range(depth[parent] + 1, depth[name])
            if (parent, name, layer) in x
        )
        for name, above in parents.items()
        for parent in above
    }
    height = len(layers) * (sizes.height + sizes.rise) - sizes.rise
    boxes = {name: point(name, layer) for name, layer in depth.items()}
    return Layout(boxes, bends, right - left, max(height, 0.0))


def _layers(
    parents: Mapping[str, Sequence[str]], depth: Mapping[str, int]
) -> tuple[list[list[_Item]], dict[_Item, list[_Item]]]:
    """The items of each layer, and for each what it hangs on in the layer above."""
    layers: list[list[_Item]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    sources: dict[_Item, list[_Item]] = {}
    passed = sum(depth[n] - depth[p] - 1 for n, above in parents.items() for p in above)
    for name, above in parents.items():
        sources[name] = []
        layers[depth[name]].append(name)
        for parent in above:
            hook: _Item = parent
            bends = range(depth[parent] + 1, depth[name]) if passed <= _MOST_BENDS else ()
            for layer in bends:
                bend = (parent, name, layer)
                layers[layer].append(bend)
                sources[bend] = [hook]
                hook = bend
            sources[name].append(hook)
    return layers, sources


def _place(
    items: list[_Item],
    sources: Mapping[_Item, Sequence[_Item]],
    x: Mapping[_Item, float],
    sizes: Sizes,
) -> Iterator[tuple[_Item, float]]:
    """The items side by side, each as near below its sources as the others leave it room."""
    wish = {item: _wish(sources[item], x) for item in items}
    # A box goes before an edge that wishes the same place, so that edges pass on the right.
    ordered = sorted(items, key=lambda i: (wish[i], isinstance(i, tuple)))
    places: dict[_Item, float] = {}
    edge = float("-inf")
    for item in ordered:
        half = _room(item, sizes) / 2
        places[item] = max(wish[item], edge + half)
        edge = places[item] + half + sizes.gap
    boxes = _boxes(ordered) or ordered
    shift = sum(wish[i] - places[i] for i in boxes) / len(boxes)
    return ((item, place + shift) for item, place in places.items())


def _wish(sources: Sequence[_Item], x: Mapping[_Item, float]) -> float:
    """Below the middle of the boxes that are read, or of the edges where no box is just above."""
    hooks = _boxes(sources) or sources
    return sum(x[hook] for hook in hooks) / max(1, len(hooks))


def _boxes(items: Sequence[_Item]) -> list[_Item]:
    return [item for item in items if isinstance(item, str)]


def _room(item: _Item, sizes: Sizes) -> float:
    return sizes.width if isinstance(item, str) else sizes.bend
