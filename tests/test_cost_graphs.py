"""What values of a graph with branches are alive at once."""

import pytest
from graphs import graph_of

from cnndsl.ir.cost import peak_activations
from cnndsl.ir.infer import infer_types

IN = ("In", "input maps=2 size=4", "")  # 32 elements


@pytest.mark.parametrize(
    ("rows", "peak"),
    [
        ([("A", "activation activation=relu", "In"), ("B", "prelu slopes=one", "A")], 32),
        ([("A", "maxpool kernel=1 stride=1", "In"), ("S", "add", "A In")], 64),
        # The gate is smaller than what it scales, so its memory does not do for the result.
        ([("G", "globalavgpool", "In"), ("S", "mul", "G In")], 2 + 32 + 32),
        ([("G", "globalavgpool", "In"), ("S", "mul", "In G")], 2 + 32),
        ([("F", "reshape to=2x4x4", "In"), ("G", "reshape to=32", "F")], 32),
        ([("F", "reshape to=2x4x4 order=chw", "In")], 64),
        # The input waits for the sum while the pool's result is normalized where it lies.
        (
            [
                ("A", "maxpool kernel=1 stride=1", "In"),
                ("B", "batchnorm epsilon=1", "A"),
                ("S", "concat", "B In"),
            ],
            32 + 32 + 64,
        ),
    ],
)
def test_a_result_takes_its_operand_s_memory_where_it_can(rows, peak):
    graph = graph_of(IN, *rows)
    assert peak_activations(graph, infer_types(graph)) == peak
