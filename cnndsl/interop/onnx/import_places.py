"""ONNX's operators that move cells: views where they can be, else rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from cnndsl.interop.onnx.joining import joined_around, joined_parts
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View
from cnndsl.ops.concat import Concat
from cnndsl.ops.pad import Pad
from cnndsl.ops.slice import Part, Slice

_FLOATS = (1, 10, 11, 16)
"""What TensorProto calls float32, float16, float64 and bfloat16."""
MOST_PARTS = 16
"""Rows that one node may become for the places along an axis: more are no branches of a network."""

_CONCAT_AXES = ("maps", "height", "width")


def import_identity(step: Step) -> View:
    """Nothing."""
    return step.view()


def import_cast(step: Step) -> View:
    """Nothing, from one kind of floats to another: all are computed as float32."""
    if int(step.get("to", 0)) not in _FLOATS:
        raise Unsupported("it makes other numbers than floats of computed ones")
    return step.view()


def import_shape(step: Step) -> Array:
    """The shape as a constant; the batch counts as the model says, or as one."""
    whole = np.array(step.whole(step.view()), np.int64)
    return whole[step.get("start", 0) : step.get("end", len(whole))]


def import_flatten(step: Step) -> View:
    """A view of one axis."""
    view, axis = step.view(), int(step.get("axis", 1))
    whole = step.whole(view)
    axis = axis + len(whole) if axis < 0 else axis
    if not step.lead:
        return view.reshaped((prod(whole[:axis]), prod(whole[axis:])))
    if axis == 0 or prod(whole[1:axis]) != 1:
        raise Unsupported(f"axis={axis} puts parts of an image into the batch", "axis=1")
    return view.reshaped((prod(view.shape),))


def import_reshape(step: Step) -> View:
    """A view of another shape."""
    view, wanted = step.view(), step.integers("shape", 1)
    if wanted is None:
        raise Unsupported("its shape is missing")
    whole = step.whole(view)
    if not step.get("allowzero", 0):
        wanted = [
            whole[i] if side == 0 and i < len(whole) else side for i, side in enumerate(wanted)
        ]
    if -1 in wanted:
        rest = prod(side for side in wanted if side != -1)
        wanted[wanted.index(-1)] = prod(whole) // rest if rest else 0
    start = len(step.lead)
    if tuple(wanted[:start]) != step.lead or prod(wanted[start:]) != prod(view.shape):
        raise Unsupported(f"from {list(whole)} to {wanted} it moves cells between images")
    return view.reshaped(tuple(wanted[start:]))


def import_transpose(step: Step) -> View:
    """A view with its axes in another order."""
    view = step.view()
    start, rank = len(step.lead), len(step.whole(view))
    order = [int(axis) for axis in step.get("perm", range(rank)[::-1])]
    if order[:start] != list(range(start)):
        raise Unsupported("it moves the batch to another axis")
    return view.transposed(tuple(axis - start for axis in order[start:]))


def import_squeeze(step: Step) -> View:
    """A view without some axes of one place."""
    view, axes = step.view(), step.integers("axes", 1)
    rank = len(view.shape)
    if axes is None:
        gone = [axis for axis, side in enumerate(view.shape) if side == 1]
    else:
        gone = [step.axis(axis, rank) for axis in axes]
    return view.reshaped(tuple(side for i, side in enumerate(view.shape) if i not in gone))


def import_unsqueeze(step: Step) -> View:
    """A view with more axes of one place."""
    view, axes = step.view(), step.integers("axes", 1)
    if axes is None:
        raise Unsupported("its axes are missing")
    rank = len(view.shape) + len(axes)
    shape = list(view.shape)
    for axis in sorted(step.axis(axis, rank) for axis in axes):
        shape.insert(axis, 1)
    return view.reshaped(tuple(shape))


def import_concat(step: Step) -> View:
    """A `concat` row."""
    views = [step.view(i) for i in range(len(step.inputs))]
    if len(views) == 1:
        return views[0]
    return followed(step, views, step.axis(int(step.get("axis", 1)), len(views[0].shape)))


def followed(step: Step, views: Sequence[View], axis: int) -> View:
    """A `concat` row of views that follow each other along the axis."""
    sides = list(views[0].shape)
    if any(
        (*v.shape[:axis], *v.shape[axis + 1 :]) != (*sides[:axis], *sides[axis + 1 :])
        for v in views
    ):
        shown = " and ".join(str(list(view.shape)) for view in views)
        raise Unsupported(f"tensors of the shapes {shown} follow each other in no row")
    sides[axis] = sum(view.shape[axis] for view in views)
    places = [joined_around(view.shape, axis) for view in views]
    parts = [view.reshaped(shape) for view, (shape, _) in zip(views, places, strict=True)]
    # Along one axis, an image has that axis as its width.
    word = _CONCAT_AXES[2 if len(sides) == 2 and axis == 1 else places[0][1]]
    name = step.add(Concat(word), *(step.builder.tensor(part) for part in parts))
    return step.builder.view(name, tuple(sides))


def import_expand(step: Step) -> View:
    """A view that repeats cells."""
    view, wanted = step.view(), step.integers("shape", 1)
    if wanted is None:
        raise Unsupported("its shape is missing")
    whole = step.whole(view)
    try:
        shape = np.broadcast_shapes(whole, tuple(wanted))
    except ValueError:
        raise Unsupported(f"{list(whole)} does not expand to {wanted}") from None
    start = len(step.lead)
    if len(shape) != len(whole) or shape[:start] != step.lead:
        raise Unsupported("it repeats images")
    return view.expanded(shape[start:])


def import_split(step: Step) -> list[View]:
    """A `slice` row for each output."""
    view = step.view()
    axis = step.axis(int(step.get("axis", 0)), len(view.shape))
    side, count = view.shape[axis], len(step.facts.outputs)
    sizes = step.integers("split", 1)
    if sizes is None:
        each = -(-side // count)
        sizes = [min(each, side - i * each) for i in range(count)]
    views: list[View] = []
    begin = 0
    for size in sizes:
        ranges = [range(s) for s in view.shape]
        ranges[axis] = range(begin, begin + size)
        views.append(cut(step, view, ranges))
        begin += size
    return views


def cut(step: Step, view: View, ranges: Sequence[range]) -> View:
    """A `slice` row with the places in the ranges, one an axis."""
    if all(r == range(side) for r, side in zip(ranges, view.shape, strict=True)):
        return view
    if any(not r or r.step < 1 for r in ranges):
        raise Unsupported("it takes no cells")
    places, shape = joined_parts(ranges, view.shape)
    parts = [_part(r, side) for r, side in zip(places, shape, strict=True)]
    if len(parts) == 2:
        parts.insert(1, Part())
    name = step.add(Slice(*parts), step.builder.tensor(view.reshaped(shape)))
    return step.builder.view(name, tuple(map(len, ranges)))


def parts_along(step: Step, view: View, axis: int) -> list[View]:
    """A `slice` row for each place along an axis."""
    parts: list[View] = []
    for place in range(view.shape[axis]):
        ranges = [range(side) for side in view.shape]
        ranges[axis] = range(place, place + 1)
        parts.append(cut(step, view, ranges))
    return parts


def _part(places: range, side: int) -> Part:
    begin, end = places[0], places[-1] + 1
    return Part(begin or None, None if end == side else end, places.step)


def import_pad(step: Step) -> View:
    """A `pad` row."""
    step.require_batch()
    view, pads = step.view(), step.integers("pads", 1)
    if pads is None:
        raise Unsupported("its pads are missing")
    rank = len(view.shape)
    axes = step.integers("axes", 3) or list(range(rank + 1))
    sides = {axis % (rank + 1): (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if min(pads, default=0) < 0:
        raise Unsupported("negative padding has no row", "a Slice")
    if any(sides.pop(0, (0, 0))):
        raise Unsupported("it pads the batch")
    around = [sides.get(axis, (0, 0)) for axis in range(1, rank + 1)]
    if str(step.get("mode", "constant")) == "wrap":
        return _wrapped(step, view, around)
    # Maps are an axis that nothing is added to: in a model of pixels, the last one.
    maps = next((axis for axis, side in enumerate(around) if not any(side)), None)
    if maps is None or not 2 <= rank <= 3:
        raise Unsupported(f"it pads {sum(map(any, around))} axes of {rank}, and rows pad two")
    front, back = step.builder.along(view, maps)
    image = [side for axis, side in enumerate(around) if axis != maps]
    padding = (image[0], image[1]) if rank == 3 else ((0, 0), image[0])
    mode = str(step.get("mode", "constant"))
    value = step.get("value") if step.opset < 11 else step.optional(2, "value")
    number = 0.0 if value is None else float(np.asarray(value).reshape(-1)[0])
    if mode == "constant":
        op = Pad(padding, "constant", number) if number else Pad(padding)
    elif mode in ("reflect", "edge"):
        op = Pad(padding, mode)
    else:
        raise Unsupported(f"mode={mode} has no row")
    made = step.builder.view(step.add(op, step.builder.image(front)))
    made = made if rank == 3 else made.reshaped((made.shape[0], made.shape[2]))
    return made if front is view else made.transposed(back)


def _wrapped(step: Step, view: View, around: Sequence[tuple[int, int]]) -> View:
    """Along each axis a `concat` of its end, of itself and of its beginning."""
    for axis, (before, behind) in enumerate(around):
        side = view.shape[axis]
        if max(before, behind) > side:
            raise Unsupported("it goes around an axis more than once")
        whole = [range(s) for s in view.shape]
        parts = [range(side - before, side), range(side), range(behind)]
        views = [
            cut(step, view, [*whole[:axis], part, *whole[axis + 1 :]]) for part in parts if part
        ]
        view = views[0] if len(views) == 1 else followed(step, views, axis)
    return view
