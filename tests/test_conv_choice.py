"""Which algorithm computes a convolution, by estimates or measurements, and what is told of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.backends.choosing import Considered
from cnndsl.backends.cpu import backend
from cnndsl.backends.cpu import times as times_module
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.conv_choice import ConvChooser
from cnndsl.backends.cpu.helpers import shared_helpers
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.candidates import ConvWork, allowed, candidates
from cnndsl.backends.cpu.lowering.conv import ALGORITHMS
from cnndsl.backends.cpu.lowering.conv_cost import cost, nominal_roof
from cnndsl.backends.cpu.lowering.winograd_ways import winograd_name
from cnndsl.backends.cpu.measuring import measure
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.times import Times, keep_times, kept_times, key_of_work
from cnndsl.backends.profiling import Roof
from cnndsl.cache import FileCache
from cnndsl.ops.conv import Conv
from cnndsl.ops.padding import Padding
from cnndsl.types import USUAL, Options

SAME, UPPER = Padding("same"), Padding("same_upper")
# Rows of published networks, and the algorithm that was the fastest wherever it was measured.
KNOWN = {
    "alexnet C1": (Conv(96, (11, 11), (4, 4)), (227, 227, 3), "conv_winograd"),
    "resnet 7x7/2": (Conv(64, (7, 7), (2, 2), UPPER), (224, 224, 3), "conv_winograd"),
    "mobilenet 3x3/2": (Conv(32, (3, 3), (2, 2), UPPER), (224, 224, 3), "conv_direct"),
    "alexnet C3": (Conv(256, (5, 5), padding=SAME), (27, 27, 96), "conv_winograd"),
    "alexnet C6": (Conv(384, (3, 3), padding=SAME), (13, 13, 384), "conv_winograd"),
    "vgg16 first": (Conv(64, (3, 3), padding=SAME), (224, 224, 3), "conv_direct"),
    "vgg16 56x56": (Conv(256, (3, 3), padding=SAME), (56, 56, 256), "conv_winograd"),
    "resnet 1x1": (Conv(128, (1, 1)), (28, 28, 512), "conv_direct"),
    "resnet 3x3/2": (Conv(128, (3, 3), (2, 2), UPPER), (56, 56, 128), "conv_direct"),
    "mobilenet": (Conv(128, (3, 3), padding=SAME, groups=128), (56, 56, 128), "conv_depthwise"),
    "resnext": (Conv(128, (3, 3), padding=SAME, groups=32), (56, 56, 128), "conv_depthwise"),
    "lenet C1": (Conv(6, (5, 5)), (32, 32, 1), "conv_planar"),
    "lenet C5": (Conv(120, (5, 5)), (5, 5, 16), "dense"),
}
OF_16_IMAGES = {"dense": "dense_images"}
"""What is the fastest for so many images where it is another."""
C6 = ConvWork.of(*KNOWN["alexnet C6"][:2])


@st.composite
def works(draw) -> ConvWork:
    """Any convolution, near those that algorithms are made for."""
    kernel = draw(st.sampled_from([1, 2, 3, 5, 7]))
    maps = draw(st.sampled_from([1, 3, 8, 17, 64, 200]))
    groups = draw(st.sampled_from([1, 1, 1, maps]))
    conv = Conv(
        groups * draw(st.sampled_from([1, 2, 16, 33])),
        (kernel, kernel),
        (draw(st.integers(1, 3)),) * 2,
        draw(st.sampled_from([UPPER, Padding("valid")])),
        groups=groups,
    )
    return ConvWork.of(conv, (draw(st.integers(7, 40)), draw(st.integers(7, 40)), maps))


@pytest.mark.parametrize("name", KNOWN)
def test_the_cost_model_chooses_what_is_known_to_be_fastest(name):
    conv, x, kernel = KNOWN[name]
    for batch, expected in ((1, kernel), (16, OF_16_IMAGES.get(kernel, kernel))):
        chosen = ConvChooser(Options(batch=batch)).chosen(ConvWork.of(conv, x)).kernel
        assert chosen.partition(":")[0].removesuffix("_half") == expected


@given(works())
def test_every_convolution_has_candidates_with_a_cost_or_a_reason_against(work):
    found = candidates(work, "fast")
    named = {c.kernel.partition(":")[0] for c in found}
    # Some are computed in two ways, and what is none of theirs is told so once.
    winograds = {"conv_winograd", "conv_winograd_half"}
    assert named & winograds
    assert named | winograds | {"dense_images"} == set(ALGORITHMS)
    assert len({c.kernel for c in found}) == len(found)
    assert not found[0].refusal
    for candidate in allowed(work, "fast"):
        alone, shared = (cost(work, candidate, batch) for batch in (1, 16))
        assert min(c.seconds(nominal_roof(Target.host())) for c in (alone, shared)) > 0
        if not candidate.way:  # whose weights are read once for all images
            assert shared.bytes_read <= alone.bytes_read
    assert {c.kernel for c in allowed(work, "strict")} <= {c.kernel for c in allowed(work, "fast")}
    assert all(c.error_ratio == 1.0 for c in allowed(work, "strict"))
    assert ConvWork.parse(work.name) == work


def measured(fastest: str, batch: int = 1) -> Times:
    """A machine on which one of the algorithms for C6 is the fastest."""
    kernels = [c.kernel for c in allowed(C6, "fast")]
    seconds = {kernel: 2e-3 - 1e-3 * (kernel == fastest) for kernel in kernels}
    return Times({key_of_work(C6.name, batch): seconds}, Roof(100.0, 20.0))


def test_what_was_measured_overrules_the_estimate():
    kernels = [c.kernel for c in allowed(C6, "fast")]
    assert kernels[0] == "conv_direct"
    assert all(kernel.startswith("conv_winograd") for kernel in kernels[1:])
    assert len(kernels) > 2
    for fastest in kernels:
        assert ConvChooser(USUAL, measured(fastest)).chosen(C6).kernel == fastest


def test_what_was_measured_of_one_batch_decides_nothing_for_another():
    estimated = ConvChooser(Options(batch=16)).chosen(C6)
    others = [c.kernel for c in allowed(C6, "fast") if c != estimated]
    for fastest in others:
        one, many = (measured(fastest, batch) for batch in (1, 16))
        assert ConvChooser(Options(batch=16), one).chosen(C6) == estimated
        assert ConvChooser(Options(batch=16), many).chosen(C6).kernel == fastest


def test_a_batch_is_worth_larger_squares_than_an_image():
    """For their products are fewer, and their weights, which are more, are read once for all."""
    for maps in (256, 512):
        work = ConvWork.of(Conv(maps, (3, 3), padding=SAME), (7, 7, maps))
        alone, many = (
            ConvChooser(Options(batch=batch), Times(roof=Roof(110.0, 26.0))).chosen(work).way
            for batch in (1, 16)
        )
        assert alone.outputs < many.outputs


def test_the_slower_a_machine_multiplies_the_fewer_products_are_chosen():
    halving, other = (nominal_roof(Target(cpu, (), 8, 16)) for cpu in ("znver1", "znver3"))
    assert halving.gflops == other.gflops / 2
    assert other.gigabytes / 2 < halving.gigabytes < other.gigabytes
    for maps in (64, 384, 1024):
        work = ConvWork.of(Conv(maps, (3, 3), padding=SAME), (13, 13, maps))
        slower, faster = (
            ConvChooser(USUAL, Times(roof=roof)).chosen(work) for roof in (halving, other)
        )
        assert cost(work, slower).macs * slower.margin <= cost(work, faster).macs * faster.margin


def test_vectors_of_avx512_are_as_fast_as_those_of_avx2_where_they_are_computed_in_halves():
    zen4, zen3, xeon = (
        nominal_roof(Target(cpu, (), lanes, 32)).gflops
        for cpu, lanes in (("znver4", 16), ("znver3", 8), ("sapphirerapids", 16))
    )
    assert zen4 == zen3 == xeon / 2


def test_strict_numerics_are_strict_whatever_was_measured():
    for kernel in (c.kernel for c in allowed(C6, "fast")):
        assert ConvChooser(Options("strict"), measured(kernel)).chosen(C6).kernel == "conv_direct"


def test_half_of_the_measurements_decide_nothing():
    times = Times({C6.name: {"conv_direct": 1e-9}})
    assert ConvChooser(USUAL, times).chosen(C6).kernel.startswith("conv_winograd")


def test_all_that_was_considered_is_told_with_figures_and_reasons():
    way = next(c.way for c in allowed(C6, "fast") if c.way)
    fastest = winograd_name(way)
    first, *others = ConvChooser(USUAL, measured(fastest)).considered(C6)
    assert (first.kernel, first.chosen, first.verdict) == (fastest, True, "")
    assert first.measured_ms == 1.0
    assert first.error_ratio == way.error_ratio
    told = {other.kernel: other for other in others}
    direct = told.pop("conv_direct")
    assert (direct.chosen, direct.verdict, direct.measured_ms) == (False, "slower", 2.0)
    assert direct.bound == "arithmetic"
    assert direct.estimated_ms == pytest.approx(5.3, rel=0.1)  # 448 million products
    refused = [other for other in others if other.measured_ms is None]
    assert [other.kernel for other in refused] == ["conv_planar", "conv_depthwise", "dense"]
    assert all(other.verdict and other.estimated_ms is None for other in refused)
    assert isinstance(refused[0], Considered)


def test_a_row_that_is_refused_for_its_error_is_told_with_its_estimate():
    told = ConvChooser(Options("strict")).considered(C6)
    winograds = [found for found in told if found.kernel.startswith("conv_winograd")]
    assert len(winograds) > 1
    for found in winograds:
        assert found.verdict.startswith("numerics strict")
        assert found.estimated_ms is not None


# ---- what is kept


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNDSL_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(backend, "kept_times", kept_times)
    return tmp_path


def test_times_come_back_and_a_damaged_file_is_a_miss(folder):
    assert kept_times() == Times()
    times = Times({C6.name: {"conv_direct": 2.5e-3, "conv_winograd": 1e-3}}, Roof(90.0, 25.0))
    keep_times(times)
    assert kept_times() == times
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert kept_times() == Times()


def test_times_of_other_kernels_are_no_times_of_these(folder, monkeypatch):
    keep_times(Times({C6.name: {"conv_direct": 1.0}}))
    monkeypatch.setattr(times_module, "key_of", lambda name: bytes(32))
    assert kept_times() == Times()


def test_later_times_join_the_earlier_ones():
    first = Times({"a": {"x": 1.0}, "b": {"x": 1.0}}, Roof(1.0, 2.0))
    both = first.with_more(Times({"b": {"x": 3.0}, "c": {"x": 4.0}}))
    assert both == Times({"a": {"x": 1.0}, "b": {"x": 3.0}, "c": {"x": 4.0}}, Roof(1.0, 2.0))


def test_a_backend_is_another_once_something_was_measured(folder):
    before = CpuBackend().fingerprint()
    assert CpuBackend().fingerprint() == before
    keep_times(Times({C6.name: {"conv_direct": 1.0, "conv_winograd": 2.0}}))
    assert CpuBackend().fingerprint() != before
    FileCache(folder).clear()
    assert CpuBackend().fingerprint() == before


@pytest.mark.cache
def test_measuring_takes_the_time_of_each_algorithm():
    work = ConvWork.of(Conv(16, (3, 3), padding=SAME), (12, 12, 16))
    for batch in (1, 3):
        seconds = measure(work, batch, shared_library(), shared_helpers())
        assert set(seconds) == {c.kernel for c in allowed(work, "fast")}
        assert all(0 < s < 1 and np.isfinite(s) for s in seconds.values())
