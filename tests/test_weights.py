"""Weights are taken whole or refused with every reason."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save, save_file

from cnndsl.errors import FileError, WeightsError
from cnndsl.interop.weights import read_weights, seeded_weights, take_weights
from cnndsl.ops.base import Param

PARAMS = {
    "C1.weight": Param("weight", (4, 3, 5, 5), "he", fan_in=75),
    "C1.bias": Param("bias", (4,), "zeros"),
    "Out.weight": Param("weight", (10, 36), "signs"),
}


def messages(error: WeightsError) -> list[str]:
    return [diagnostic.message for diagnostic in error.diagnostics]


def test_a_file_that_the_safetensors_package_wrote_is_read_without_a_copy(tmp_path):
    weights = seeded_weights(PARAMS, 1)
    save_file(weights, tmp_path / "w.safetensors")
    read = read_weights(tmp_path / "w.safetensors", PARAMS)
    assert list(read) == list(PARAMS)
    for name, array in weights.items():
        np.testing.assert_array_equal(read[name], array)
        assert not read[name].flags.owndata
        assert not read[name].flags.writeable


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_are_converted(tmp_path, dtype):
    weights = {name: a.astype(dtype) for name, a in seeded_weights(PARAMS, 1).items()}
    save_file(weights, tmp_path / "w.safetensors")
    read = read_weights(tmp_path / "w.safetensors", PARAMS)
    for name, array in weights.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], array.astype(np.float32))


def test_bfloat16_is_read_as_the_upper_half_of_a_float32(tmp_path):
    values = np.array([1.0, -2.5, 3.140625, 0.0], np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2")
    header = {"C1.bias": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + halves.tobytes())
    read = read_weights(path, {"C1.bias": PARAMS["C1.bias"]})
    np.testing.assert_array_equal(read["C1.bias"], values)


@pytest.mark.parametrize(
    ("spans", "size", "reason"),
    [
        ({"a": (0, 8), "b": (4, 12)}, 12, "'b' shares bytes with another tensor"),
        ({"a": (0, 8), "b": (0, 8)}, 8, "'b' shares bytes with another tensor"),
        ({"a": (0, 8), "b": (12, 20)}, 20, "'b' follows unused bytes"),
        ({"a": (4, 12)}, 12, "'a' follows unused bytes"),
        ({"a": (0, 8)}, 11, "3 bytes at its end belong to no tensor"),
    ],
)
def test_bytes_belong_to_one_tensor_each(tmp_path, spans, size, reason):
    entries = {
        name: {"dtype": "F32", "shape": [2], "data_offsets": list(span)}
        for name, span in spans.items()
    }
    text = json.dumps(entries).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(size))
    with pytest.raises(WeightsError, match=reason):
        read_weights(path, PARAMS)


def test_a_file_of_another_framework_is_told_how_to_be_converted(tmp_path):
    save_file({"conv1.weight": np.zeros((4, 3, 5, 5), np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="none of the 1 tensors") as caught:
        read_weights(tmp_path / "w.safetensors", PARAMS)
    assert "cnndsl import weights" in str(caught.value)


def test_every_mismatch_is_listed_with_its_row():
    given = {
        "C1.weight": np.zeros((5, 5, 3, 4), np.float32),
        "C1.Bias": np.zeros(4, np.float32),
        "Out.weight": np.zeros((10, 36), np.complex64),
        "F6.weight": np.zeros(3, np.float32),
    }
    with pytest.raises(WeightsError) as caught:
        take_weights(given, PARAMS)
    assert messages(caught.value) == [
        "C1.weight: its shape is [5, 5, 3, 4] in the mapping, and the row expects [4, 3, 5, 5]",
        "C1.bias: the mapping lacks it; its shape is [4]",
        "Out.weight: it holds complex64, and weights are floats",
        "F6.weight: the mapping has it, and no row expects it",
    ]
    first, second, *_ = caught.value.diagnostics
    assert "transpose(3, 2, 0, 1)" in first.fixes[0].message
    assert "rename 'C1.Bias'" in second.fixes[0].message
    assert [d.row for d in caught.value.diagnostics] == ["C1", "C1", "Out", "F6"]


def test_weights_between_unconnected_maps_must_be_zero():
    links = ((0, 2), (0, 1, 2), (1,), (2,))
    params = {"C1.weight": Param("weight", (4, 3, 1, 1), "he", connections=links)}
    mask = params["C1.weight"].mask
    assert mask is not None
    take_weights({"C1.weight": mask.astype(np.float32)}, params)
    with pytest.raises(WeightsError, match="not connected must be 0"):
        take_weights({"C1.weight": np.ones((4, 3, 1, 1), np.float32)}, params)
    assert not np.any(seeded_weights(params, 0)["C1.weight"][~mask])


def test_a_later_change_of_the_caller_s_array_does_not_reach_the_weights():
    array = np.ones(4, np.float32)
    taken = take_weights({"C1.bias": array}, {"C1.bias": PARAMS["C1.bias"]})
    array[:] = 7
    assert taken["C1.bias"].tolist() == [1, 1, 1, 1]


def test_a_seed_draws_each_tensor_independently_of_the_others():
    both = seeded_weights(PARAMS, 3)
    alone = seeded_weights({"Out.weight": PARAMS["Out.weight"]}, 3)
    np.testing.assert_array_equal(both["Out.weight"], alone["Out.weight"])
    assert set(np.unique(both["Out.weight"])) == {-1.0, 1.0}
    assert np.any(both["C1.weight"] != seeded_weights(PARAMS, 4)["C1.weight"])


def test_he_weights_have_variance_two_over_fan_in():
    param = Param("weight", (400, 100), "he", fan_in=100)
    weights = seeded_weights({"a.weight": param}, 0)["a.weight"]
    # 40,000 draws: the sample variance's standard deviation is 0.7% of it.
    assert np.var(weights) == pytest.approx(2 / 100, rel=0.03)


def damaged_file(tmp_path, data: bytes):
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    return path


VALID = save({"C1.bias": np.arange(4, dtype=np.float32)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        b"\xff" * 64,
        VALID[:-1],
        VALID[:20],
        VALID.replace(b"F32", b"F31"),
        VALID.replace(b"[4]", b"[5]"),
        VALID.replace(b"[4]", b"[x]"),
        VALID.replace(b"[0,16]", b"[9,16]"),
        b"\x04\0\0\0\0\0\0\0[12]",
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, data):
    path = damaged_file(tmp_path, data)
    with pytest.raises(WeightsError, match="cannot read the weights") as caught:
        read_weights(path, {"C1.bias": PARAMS["C1.bias"]})
    assert caught.value.code == "E402"
    assert str(path) in str(caught.value)


@given(st.data())
def test_no_byte_changed_in_the_header_escapes_as_another_exception(tmp_path_factory, data):
    index = data.draw(st.integers(0, len(VALID) - 17))
    byte = data.draw(st.integers(0, 255))
    changed = VALID[:index] + bytes([byte]) + VALID[index + 1 :]
    path = damaged_file(tmp_path_factory.mktemp("w"), changed)
    try:
        read = read_weights(path, {"C1.bias": PARAMS["C1.bias"]})
    except WeightsError:
        return
    assert read["C1.bias"].shape == (4,)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileError, match="there is no such file"):
        read_weights(tmp_path / "none.safetensors", PARAMS)


def test_a_tensor_is_said_to_be_misnamed_only_if_no_row_wants_it_and_it_fits():
    weights = dict(seeded_weights(PARAMS, 1))
    weights["C1.w"] = weights.pop("C1.weight")
    del weights["C1.bias"]
    with pytest.raises(WeightsError) as caught:
        take_weights(weights, PARAMS)
    fixes = {
        d.message.partition(":")[0]: [f.message for f in d.fixes] for d in caught.value.diagnostics
    }
    assert fixes["C1.weight"] == ["rename 'C1.w', which no row expects"]
    assert fixes["C1.bias"] == []


@pytest.mark.parametrize(
    ("value", "kind"), [(np.nan, "NaN"), (-np.inf, "infinite")], ids=["nan", "infinite"]
)
def test_weights_that_are_no_numbers_are_counted_and_the_first_is_named(value, kind, tmp_path):
    weights = dict(seeded_weights(PARAMS, 1))
    weights["C1.weight"] = weights["C1.weight"].copy()
    weights["C1.weight"][1, 0, 1:, 2] = value
    count, size = weights["C1.weight"][1, 0, 1:, 2].size, weights["C1.weight"].size
    save_file(weights, tmp_path / "w.safetensors")
    for origin, read in (
        ("the mapping", lambda: take_weights(weights, PARAMS)),
        (
            str(tmp_path / "w.safetensors"),
            lambda: read_weights(tmp_path / "w.safetensors", PARAMS),
        ),
    ):
        with pytest.raises(WeightsError) as caught:
            read()
        (found,) = caught.value.diagnostics
        assert (found.code, found.row) == ("E404", "C1")
        said = f"C1.weight: {count} of its {size} numbers in {origin} are {kind}, the first at "
        assert found.message == f"{said}[1, 0, 1, 2]"
        assert found.fixes


def test_another_network_s_weights_are_called_that():
    with pytest.raises(WeightsError, match="the weights of this network"):
        take_weights({f"X{i}.weight": np.zeros(7) for i in range(9)}, PARAMS)


def test_a_tensor_that_is_to_be_renamed_is_told_once():
    weights = dict(seeded_weights(PARAMS, 1))
    weights["C1.w"] = weights.pop("C1.weight")
    with pytest.raises(WeightsError) as caught:
        take_weights(weights, PARAMS)
    assert len(caught.value.diagnostics) == 1


def test_a_left_over_tensor_is_offered_to_the_row_that_it_resembles_most_and_to_no_other():
    params = {f"C{i}.bias": Param("bias", (4,), "zeros") for i in range(1, 5)}
    given = {"C1.bias": np.zeros(4), "C3.bais": np.zeros(4), "C4_bias": np.zeros(4)}
    with pytest.raises(WeightsError) as caught:
        take_weights(given, params)
    fixes = {
        d.message.partition(":")[0]: [f.message for f in d.fixes] for d in caught.value.diagnostics
    }
    assert fixes == {
        "C2.bias": [],
        "C3.bias": ["rename 'C3.bais', which no row expects"],
        "C4.bias": ["rename 'C4_bias', which no row expects"],
    }


def test_a_left_over_tensor_of_another_row_or_as_near_to_two_is_offered_to_none():
    params = {f"C{i}.bias": Param("bias", (4,), "zeros") for i in range(1, 4)}
    for left_over in ("C1.bas", "C.bias"):
        given = {"C1.bias": np.zeros(4), left_over: np.zeros(4)}
        with pytest.raises(WeightsError) as caught:
            take_weights(given, params)
        assert not any(diagnostic.fixes for diagnostic in caught.value.diagnostics)


def test_numbers_beyond_float32_are_refused():
    weights = dict(seeded_weights(PARAMS, 1)) | {"C1.bias": np.array([1e300, 0, np.inf, 1])}
    with pytest.raises(WeightsError) as caught:
        take_weights(weights, PARAMS)
    assert messages(caught.value) == ["C1.bias: it has numbers that are too large for float32"]
