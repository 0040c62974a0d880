"""The passes that a compilation runs, in order."""

from __future__ import annotations

from cnndsl.ir.graph import Graph
from cnndsl.passes.base import Pass
from cnndsl.passes.drop_dead import DropDead
from cnndsl.passes.drop_identity import DropIdentity
from cnndsl.passes.fold_affine import FoldAffine
from cnndsl.passes.fold_constants import FoldConstants
from cnndsl.passes.fold_pad import FoldPad
from cnndsl.passes.fuse_activation import FuseActivation
from cnndsl.passes.fuse_residual import FuseResidual
from cnndsl.passes.join_concats import JoinConcats
from cnndsl.passes.merge_common import MergeCommon
from cnndsl.passes.split_separable import SplitSeparable

PASSES: tuple[Pass, ...] = (
    DropDead(),
    DropIdentity(),
    SplitSeparable(),
    FoldPad(),
    JoinConcats(),
    MergeCommon(),
    FoldConstants(),
    FoldAffine(),
    FuseActivation(),
)
"""For every target."""

PASSES_WITH_SHORTCUTS: tuple[Pass, ...] = (*PASSES[:-1], FuseResidual(), PASSES[-1])
"""For a target whose filters add a shortcut as they write."""


def optimised(graph: Graph, passes: tuple[Pass, ...] = PASSES) -> Graph:
    """`graph` after all passes."""
    for rewrite in passes:
        graph = rewrite.run(graph)
    return graph
