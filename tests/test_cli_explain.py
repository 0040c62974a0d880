"""`explain` says of every row what computes it, where that is another row's step too."""

import pytest
from cli_calls import Cli

TABLE = """\
cnn 1
network Drawn

layer  type        maps  size   kernel  padding  activation  from
In     input       4     12x12
P      pad         4     14x14  -       1
A      conv        8     12x12  3x3     valid
R      activation  8     12x12  -       -        relu
D      dropout     8     12x12                                     rate=0.5
B      conv        8     12x12  1x1     valid    -           D
N      batchnorm   8     12x12                                     epsilon=1e-5
S      add         8     12x12  -       -        relu        R,N
Out    conv        8     8x8    5x5     valid
"""


@pytest.mark.parametrize(
    ("row", "kernel"),
    [
        ("P", "none of its own: it is padding of conv_direct for A"),
        ("R", "none of its own: conv_direct computes it with A"),
        ("D", "none: nothing is left to compute"),
        ("N", "none: its numbers are in those that conv_direct has for B"),
        ("S", "none of its own: conv_direct computes it with B"),
    ],
)
def test_a_row_without_a_step_is_found_in_the_step_that_computes_it(
    capsys, monkeypatch, tmp_path, row, kernel
):
    (tmp_path / "drawn.cnn").write_text(TABLE, encoding="utf-8")
    out = Cli(capsys, monkeypatch)("explain", tmp_path / "drawn.cnn", row).out
    assert out.splitlines()[-1] == f"kernel       {kernel}"
