"""The CPU backend's compiled code, programs, threads and executables."""

import ctypes
import struct
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cpu_network import NETWORK, executable, images
from cpu_program_driver import NATIVE

from cnndsl.backends.cpu import compile as kernel_compiler
from cnndsl.backends.cpu import session as session_module
from cnndsl.backends.cpu.addresses import Table, object_layout
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.cpu.fingerprint import key_of
from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.library import Library, shared_library
from cnndsl.backends.cpu.lowering.call import Call
from cnndsl.backends.cpu.lowering.copy import lower_copy
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.lrn import lower_lrn
from cnndsl.backends.cpu.program import assemble
from cnndsl.backends.cpu.program_layout import ALONE, AWAKE, CACHE_LINE, GRAIN, OFFERED, RECORD
from cnndsl.backends.cpu.session import Session
from cnndsl.cache import CacheWarning, FileCache
from cnndsl.errors import TargetError
from cnndsl.ops.base import Op
from cnndsl.ops.lrn import Neighbours
from cnndsl.plan.build import make_plan
from cnndsl.plan.plan import Buffer

pytestmark = pytest.mark.cache

KERNEL = Kernel("copy", "permute")  # one that compiles fast
EVERY_KERNEL = [
    Kernel("executor", "run"),
    *(Kernel("activations", "activation", (name,)) for name in ("tanh", "mish", "gelu_erf")),
    *(Kernel("combine", name, (0, 1)) for name in ("add", "multiply")),
    *(Kernel("copy", name) for name in ("copy", "permute", "zero_halo")),
    *(Kernel("gather", f"gather_{name}") for name in ("pixels", "maps", "cells")),
    *(Kernel("lrn", "lrn", (exponent,)) for exponent in range(4)),
    *(Kernel("normalise", f"normalise_{name}") for name in ("pixels", "groups")),
    *(
        Kernel("pool", name, (k, k))
        for name in ("max_pool", "avg_pool", "subsample")
        for k in (0, 2)
    ),
    Kernel("pool", "lp_pool", (0, 0, 2.5)),
    *(Kernel("rbf", name) for name in ("squared_distance", "euclidean_distance")),
    Kernel("resample", "resample"),
    *(Kernel("scale", name) for name in ("affine", "prelu")),
    *(Kernel("softmax", name) for name in ("softmax", "log_softmax")),
]


# ---- compiled code and its cache


@pytest.fixture
def compilations(monkeypatch):
    """The kernels compiled so far, in order."""
    compiled: list[Kernel] = []
    compile_kernel = kernel_compiler.compile_kernel

    def counted(kernel: Kernel) -> bytes:
        compiled.append(kernel)
        return compile_kernel(kernel)

    monkeypatch.setattr(kernel_compiler, "compile_kernel", counted)
    return compiled


def cached_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_a_kernel_is_compiled_once_and_found_by_later_libraries(tmp_path, compilations):
    assert Library(FileCache(tmp_path)).address(KERNEL)
    assert Library(FileCache(tmp_path)).address(KERNEL)
    assert compilations == [KERNEL]


def truncated(data: bytes) -> bytes:
    return data[:-7]


def emptied(data: bytes) -> bytes:
    return b""


def with_a_flipped_bit(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def foreign(data: bytes) -> bytes:
    return b"\x7fELF" + bytes(200)


@pytest.mark.parametrize("damage", [truncated, emptied, with_a_flipped_bit, foreign])
def test_a_damaged_cache_file_is_compiled_anew_and_mended(tmp_path, compilations, damage):
    Library(FileCache(tmp_path)).address(KERNEL)
    file = cached_file(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    assert Library(FileCache(tmp_path)).address(KERNEL)
    assert len(compilations) == 2
    assert Library(FileCache(tmp_path)).address(KERNEL)
    assert len(compilations) == 2


def test_a_file_of_another_kernel_under_this_ones_name_is_a_miss(tmp_path, compilations):
    cache = FileCache(tmp_path)
    cache.put("other", key_of("other"), b"machine code of something else")
    cached_file(tmp_path).rename(cache.path(KERNEL.name, key_of(KERNEL.name)))
    assert Library(cache).address(KERNEL)
    assert compilations == [KERNEL]


def test_a_cache_that_cannot_be_written_costs_one_warning(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    library = Library(FileCache(tmp_path / "file" / "cache"))
    with pytest.warns(CacheWarning, match="cannot write"):
        assert library.address(KERNEL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert library.address(Kernel("copy", "zero_halo"))
        assert Library(FileCache(tmp_path / "file" / "cache")).address(KERNEL)


def undefined_symbols(code: bytes) -> set[str]:
    """The symbols that a 64-bit ELF object expects from elsewhere."""
    (sections_at,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = [
        struct.unpack_from("<IIQQQQIIQQ", code, sections_at + i * size) for i in range(count)
    ]
    symbols: set[str] = set()
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind == 2:  # a symbol table; `link` is the section of its names
            for at in range(offset + 24, offset + length, 24):
                name, _, _, section = struct.unpack_from("<IBBH", code, at)
                if section == 0:
                    start = sections[link][4] + name
                    symbols.add(code[start : code.index(b"\0", start)].decode())
    return symbols


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF objects")
@pytest.mark.parametrize("kernel", EVERY_KERNEL, ids=lambda kernel: kernel.name)
def test_kernels_need_nothing_but_libm_and_libc(kernel):
    shared_library().address(kernel)
    code = shared_library()._cache.get(kernel.name, key_of(kernel.name))
    assert code is not None
    assert undefined_symbols(code) <= kernel_compiler.ALLOWED_SYMBOLS


def test_the_fast_way_to_an_arrays_elements_is_right():
    layout = object_layout()
    array = np.zeros((4, 5, 6), np.float32)
    readonly = array[2]
    readonly.flags.writeable = False
    views = (array, array[1:], array[:, 2], array.transpose(2, 0, 1), readonly)
    wanted = [view.ctypes.data for view in views]

    def found(place: int, elements: int) -> list[int]:
        items = (ctypes.c_int64 * len(views)).from_address(place)
        return [ctypes.c_int64.from_address(item + elements).value for item in items]

    assert found(Table(views).place, 0) == wanted
    if layout is not None:
        assert found(id(views) + layout.items, layout.elements) == wanted


def test_an_executable_runs_where_the_fast_way_is_barred(monkeypatch):
    (expected,) = executable(1)((images(3),))
    monkeypatch.setattr(session_module, "object_layout", lambda: None)
    np.testing.assert_array_equal(executable(1)((images(3),))[0], expected)


# ---- programs and threads

BATCH = 16


def long_program() -> list[Call]:
    """Steps that depend on each other through the arena, of many units each."""
    shape, halo = (13, 9, 7), (1, 1, 2, 0)
    size = Buffer("", shape, "arena", halo=halo).image_stride  # apart: no two may overlap
    images = [Buffer(str(i), shape, "arena", size * i, halo) for i in range(3)]
    x, y = Buffer("x", shape, "input"), Buffer("y", shape, "output")
    near = Neighbours(1, 2, 0.1)
    steps = [lower_copy(x, images[0], Epilogue.of("relu"))]
    for i in range(12):
        source, target = images[i % 3], images[(i + 1) % 3]
        steps.append(lower_lrn(near, 1.0, 0.75, source, target, Epilogue.of("scaled_tanh")))
    steps.append(lower_copy(images[0], y, Epilogue()))
    return [step(BATCH) for step in steps]


class Called(Helpers):
    """Helpers that have desks, and come to them only when a test calls them."""

    def wake(self, count: int, watch: Callable[..., None]) -> None:
        pass


class FineGrained:
    """A program whose threads draw single units, so that they meet as often as they can."""

    def __init__(self, helpers: int = 0) -> None:
        program = assemble(long_program(), BATCH * 6000, shared_library())
        program.table[:, GRAIN], program.table[:, ALONE] = 1, 0
        self.helpers = Called(helpers)
        self.desks = [
            (ctypes.c_int64 * 2).from_address(self.helpers.desks + i * CACHE_LINE)
            for i in range(helpers)
        ]
        self.session = Session(program, 1 + helpers, self.helpers)
        self.watch = NATIVE(program.executor)
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((BATCH, 13, 9, 7), np.float32)
        self.y = np.full(self.x.shape, np.nan, np.float32)

    def run(self) -> np.ndarray:
        """A run with those helpers that are watching."""
        self.y[:] = np.nan
        self.session.run((self.x,), (self.y,))
        return self.y.copy()

    def run_with_helpers(self) -> np.ndarray:
        """A run that all helpers may join, each from a thread of the test's own."""
        gate = threading.Barrier(1 + len(self.desks))

        def help_out(number: int) -> None:
            gate.wait()
            self.watch(self.helpers.desks + number * CACHE_LINE, 0, 0, 0)

        with ThreadPoolExecutor(len(self.desks)) as pool:
            watching = [pool.submit(help_out, number) for number in range(len(self.desks))]
            gate.wait()
            runs = [self.run() for _ in range(10)]
            for helper in watching:
                helper.result()
        for desk in self.desks:
            assert list(desk) == [0, 0]
        for y in runs[1:]:
            np.testing.assert_array_equal(y, runs[0])
        return runs[0]


@pytest.mark.parametrize("helpers", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_bits(helpers):
    alone = FineGrained().run()
    assert np.isfinite(alone).all()
    together = FineGrained(helpers)
    np.testing.assert_array_equal(together.run(), alone)
    for _ in range(5):
        np.testing.assert_array_equal(together.run_with_helpers(), alone)


def test_a_caller_takes_back_what_no_helper_has_taken_up():
    network = FineGrained(3)
    network.run()
    assert [desk[OFFERED] for desk in network.desks] == [0, 0, 0]


def test_a_desk_that_another_caller_uses_is_left_alone():
    network = FineGrained(2)
    expected = network.run()
    network.desks[0][OFFERED] = others = 1 << 20
    np.testing.assert_array_equal(network.run(), expected)
    assert [desk[OFFERED] for desk in network.desks] == [others, 0]


def test_a_helper_that_comes_late_does_nothing():
    network = FineGrained(1)
    expected = network.run()
    network.x = -network.x
    network.desks[0][OFFERED] = int(network.session._invitations[0, RECORD])
    network.watch(network.helpers.desks, 0, 0, 0)
    np.testing.assert_array_equal(network.y, expected)
    assert list(network.desks[0]) == [0, 0]


def test_helpers_are_woken_once_and_go_back_to_sleep():
    woken: list[int] = []
    rung = threading.Semaphore(0)

    def watch(desk: int, *_: int) -> None:
        woken.append(desk)
        rung.release()

    helpers = Helpers(2)
    for _ in range(3):
        for _ in range(2):
            helpers.wake(2, watch)
        for _ in range(2):
            assert rung.acquire(timeout=60)
        for number in range(2):
            ctypes.c_int64.from_address(helpers.desks + number * CACHE_LINE + 8 * AWAKE).value = 0
    assert sorted(woken) == [helpers.desks] * 3 + [helpers.desks + CACHE_LINE] * 3


# ---- executables


def test_one_executable_takes_any_batch_size():
    run = executable(1)
    x = images(9)
    (whole,) = run((x,))
    for size in (1, 2, 3, 4, 5, 9):
        parts = [run((np.ascontiguousarray(x[i : i + size]),))[0] for i in range(0, 9, size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=1e-6)


def test_several_python_threads_may_call_one_executable():
    run, alone = executable(2), executable(1)
    x = images(16)
    pieces = [(np.ascontiguousarray(x[i : i + 1 + i % 3]),) for i in range(14)]
    expected = [alone(piece) for piece in pieces]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for y, wanted in zip(pool.map(run, pieces), expected, strict=True):
                np.testing.assert_array_equal(y, wanted)


def test_a_batch_large_enough_to_share_has_the_same_bits_with_two_threads():
    x = images(32)
    np.testing.assert_array_equal(executable(2)((x,)), executable(1)((x,)))


class Unheard(Op):
    row_type = "unheard"
    summary = "an operator that no kernel computes"

    def infer(self, x):
        return x

    def evaluate(self, x):
        return x

    def formula(self, x):
        return "y = x"


def test_an_operator_without_a_kernel_is_a_target_error_at_its_row():
    node = NETWORK.nodes[1]
    odd = type(node)("strange", Unheard(), node.inputs, "R7")
    with pytest.raises(TargetError, match="no kernel for unheard") as caught:
        CpuBackend().choose(odd, ())
    assert caught.value.code == "E701"
    assert caught.value.diagnostics[0].row == "R7"


@pytest.mark.parametrize("stage", ["python", "llvm", "asm"])
def test_every_stage_below_the_plan_is_text(stage):
    backend = CpuBackend()
    text = backend.emit(make_plan(NETWORK, backend.choose), stage)
    assert "max_pool" in text
    assert {"python": "arena + ", "llvm": "define ", "asm": ".globl"}[stage] in text
