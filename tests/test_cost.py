"""What a network costs is found with integers, before anything is allocated."""

import tracemalloc

import pytest

import cnndsl
from cnndsl.errors import LimitError
from cnndsl.limits import Limits

MIB = 2**20


def parsed(row, size="5x5", maps=1, **limits):
    text = f"cnn 1\nlayer type maps size\nIn input {maps} {size}\nC {row}\n"
    return cnndsl.parse(text=text, limits=Limits(**limits))


@pytest.mark.parametrize(
    ("row", "size", "maps"),
    [
        ("conv 1 kernel=1 padding=1000000 stride=1000000", "5x5", 1),
        ("conv 1 kernel=3 padding=same_upper dilation=1000000000", "5x5", 1),
        ("conv 1 kernel=4096 connect=0", "4096x4096", 4096),
        ("depthwise kernel=3 padding=same_upper dilation=1000000000", "5x5", 1),
        ("separable 3 kernel=3 padding=same_upper dilation=1000000000", "5x5", 1),
        ("convtranspose 1 kernel=3 padding=1000000 dilation=1000000", "5x5", 1),
        ("maxpool kernel=3 stride=1 padding=same_upper dilation=1000000000", "5x5", 1),
        (
            "avgpool kernel=3 stride=1 padding=same_upper dilation=999999999 divisor=padded",
            "5x5",
            1,
        ),
        ("subsample kernel=3 stride=1 padding=same_upper dilation=1000000000", "5x5", 1),
        ("dense 10000000", "5000x1", 1),
        ("rbf 10000000 distance=squared", "5000x1", 1),
    ],
)
def test_a_row_that_asks_for_any_amount_of_memory_is_refused_by_counting(row, size, maps):
    tracemalloc.start()
    try:
        with pytest.raises(LimitError) as caught:
            parsed(row, size, maps)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "E304"
    assert caught.value.diagnostics[0].row == "C"
    assert most < 64 * MIB


def test_a_limit_counts_weights_and_what_is_alive_at_once():
    # The weights are 10 * 26 floats, and the image of 25 is alive together with the vector of 10.
    need = 4 * (10 * 26 + 25 + 10)
    assert parsed("dense 10", memory=need).params == 260
    with pytest.raises(LimitError, match="the limit is"):
        parsed("dense 10", memory=need - 1)


def test_a_limit_counts_the_padding_that_a_row_reads():
    # 11x11 cells are read; the input of 25 and the output of 81 are fewer together.
    need = 4 * (9 + 1 + 11 * 11)
    assert parsed("conv 1 kernel=3 padding=3", memory=need)["C"].shape == (9, 9, 1)
    with pytest.raises(LimitError):
        parsed("conv 1 kernel=3 padding=3", memory=need - 1)
