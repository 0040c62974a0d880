"""Object files are linked without LLVM, and where that cannot be, by LLVM."""

import ctypes
import struct
import subprocess
import sys

import numpy as np
import pytest

import cnndsl
from cnndsl.backends.cpu import library as library_module
from cnndsl.backends.cpu.compile import compile_kernel
from cnndsl.backends.cpu.elf import IS_AT_HOME, ForeignError, link, load_objects
from cnndsl.backends.cpu.fingerprint import fingerprint
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.library import Library
from cnndsl.cache import FileCache

pytestmark = [
    pytest.mark.cache,
    pytest.mark.skipif(not IS_AT_HOME, reason="other systems' object files are LLVM's to load"),
]

EXECUTOR, ZERO_HALO, TANH = (
    Kernel("executor", "run"),
    Kernel("copy", "zero_halo"),
    Kernel("activations", "activation", ("tanh",)),
)
WHERE = 1 << 40  # where the functions of C's library are, in these tests
JUMP = b"\xff\x25\x00\x00\x00\x00" + WHERE.to_bytes(8, "little")


def rewritten(code: bytes, offset: int, kind: str, value: int) -> bytes:
    content = bytearray(code)
    struct.pack_into(kind, content, offset, value)
    return bytes(content)


def sections(code: bytes) -> list[tuple[int, tuple[int, ...]]]:
    """Where each section's header lies, and what it says."""
    start, count = struct.unpack_from("<Q", code, 0x28)[0], struct.unpack_from("<H", code, 0x3C)[0]
    places = [start + i * 64 for i in range(count)]
    return [(place, struct.unpack_from("<IIQQQQIIQQ", code, place)) for place in places]


def test_what_a_kernel_calls_is_reached_by_one_jump():
    asked = []

    def address(name: str) -> int:
        asked.append(name)
        return WHERE

    code, functions = link([compile_kernel(EXECUTOR)], address)
    assert asked == ["sched_yield"]
    assert code.count(JUMP) == 1
    assert list(functions) == ["cnndsl_run"]


def test_objects_lie_beside_each_other_and_keep_their_constants():
    objects = [compile_kernel(kernel) for kernel in (TANH, ZERO_HALO)]
    addresses = load_objects(objects)
    assert set(addresses) == {TANH.symbol, ZERO_HALO.symbol}
    x = np.linspace(-3, 3, 19, dtype=np.float32)
    y = x.copy()
    apply = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(addresses[TANH.symbol])
    apply(y.ctypes.data, 1, len(y), len(y))
    np.testing.assert_allclose(y, np.tanh(x), rtol=1e-6)


def another_system_s(code: bytes) -> bytes:
    return b"MZ" + code[2:]


def another_machine_s(code: bytes) -> bytes:
    return rewritten(code, 18, "<H", 183)


def a_program(code: bytes) -> bytes:
    return rewritten(code, 16, "<H", 2)


def with_code_that_changes(code: bytes) -> bytes:
    (place,) = [place for place, of in sections(code) if of[2] == 6]
    return rewritten(code, place + 8, "<Q", 7)


def with_another_relocation(code: bytes) -> bytes:
    (offset,) = [of[4] for _, of in sections(code) if of[1] == 4 and of[7] == 2]
    return rewritten(code, offset + 8, "<I", 9)


def without_symbols(code: bytes) -> bytes:
    return rewritten(code, 0x3C, "<H", 0)


@pytest.mark.parametrize(
    "change",
    [
        another_system_s,
        another_machine_s,
        a_program,
        with_code_that_changes,
        with_another_relocation,
        without_symbols,
    ],
)
def test_what_no_kernel_has_is_refused(change):
    code = compile_kernel(TANH)
    assert link([code], lambda name: WHERE)
    with pytest.raises(ForeignError):
        link([change(code)], lambda name: WHERE)


def test_a_function_that_is_nowhere_is_refused():
    name = b"sched_yield\0"
    with pytest.raises(ForeignError, match="xxhed_yield"):
        load_objects([compile_kernel(EXECUTOR).replace(name, b"xx" + name[2:])])


@pytest.mark.parametrize("failure", [ForeignError("foreign"), PermissionError("no code here")])
def test_llvm_loads_what_cannot_be_linked_here(tmp_path, monkeypatch, failure):
    def refuse(objects):
        raise failure

    monkeypatch.setattr(library_module, "load_objects", refuse)
    library = Library(FileCache(tmp_path))
    x = np.linspace(-3, 3, 8, dtype=np.float32)
    y = x.copy()
    apply = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(library.address(TANH))
    apply(y.ctypes.data, 1, len(y), len(y))
    np.testing.assert_allclose(y, np.tanh(x), rtol=1e-6)


def test_the_fingerprint_is_the_same_in_another_process():
    told = subprocess.run(
        [
            *(sys.executable, "-c"),
            "from cnndsl.backends.cpu.fingerprint import fingerprint; print(fingerprint().hex())",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert told.stdout.strip() == fingerprint().hex()


def test_a_model_that_was_compiled_before_needs_no_compiler(tmp_path):
    path = tmp_path / "model.cnnm"
    cnndsl.compile("lenet5", seed=0).save(path)
    run = (
        "import sys, cnndsl, numpy\n"
        "model = cnndsl.load(sys.argv[1])\n"
        "model(numpy.zeros((1, *model.input_shape), numpy.float32))\n"
        "print(*{'numba', 'llvmlite', 'lark', 'networkx'} & set(sys.modules))\n"
    )
    for _ in range(2):  # the first leaves its program for later ones
        cnndsl.load(path)
    found = subprocess.run(
        [sys.executable, "-c", run, str(path)], check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == ""
