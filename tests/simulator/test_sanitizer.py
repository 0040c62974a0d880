"""What the sanitizer finds: each fault is committed by a kernel of its own."""

from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cuda_memory import Fault
from cuda_sanitizer import Sanitized, Sanitizer
from numba import cuda, float32

from cnndsl.backends.cuda.driver import Function
from cnndsl.backends.cuda.kernels.code import emits
from cnndsl.backends.cuda.kernels.loads import copies, quad, store_quad

copy, copy_quad, commit, arrived = copies(1, 0, 1)
_, _, _, arrived_but_one = copies(1, 1, 1)


def memory(count):
    return np.arange(count, dtype=np.float32)


def run(kernel, *arrays, grid=1, block=4):
    Sanitized(Function(kernel, 0))[grid, block](*arrays)
    return arrays[-1]


def reversed_then(use):
    """A kernel that reverses four cells by way of shared memory, and then uses that memory."""

    def kernel(x, y):
        shared = cuda.shared.array(4, float32)
        thread = cuda.threadIdx.x
        shared[thread] = x[thread]
        cuda.syncthreads()
        y[thread] = shared[3 - thread]
        use(shared, thread, x)

    kernel.__name__ = use.__name__
    return kernel


def used_no_more(shared, thread, x):
    pass


def overwritten(shared, thread, x):
    shared[thread] = x[thread]


def copied_over(shared, thread, x):
    copy(shared, thread, x, thread, True)
    commit()


def test_a_kernel_without_fault_computes():
    assert run(reversed_then(used_no_more), memory(4), memory(4)).tolist() == [3, 2, 1, 0]


def without_barrier(x, y):
    shared = cuda.shared.array(4, float32)
    thread = cuda.threadIdx.x
    shared[3 - thread] = x[thread]
    y[thread] = shared[thread]


def all_to_one(x, y):
    y[0] = x[cuda.threadIdx.x]


def blocks_meet(x, y):
    cuda.syncthreads()
    if cuda.threadIdx.x == cuda.blockIdx.x:
        y[cuda.threadIdx.x // 2] = x[0]


def blocks_exchange(x, y):
    thread = cuda.threadIdx.x
    if thread == 0:
        y[1 - cuda.blockIdx.x] = y[cuda.blockIdx.x] + x[0]


def unwritten(x, y):
    shared = cuda.shared.array(4, float32)
    y[cuda.threadIdx.x] = shared[cuda.threadIdx.x]


def outside(x, y):
    y[cuda.threadIdx.x + 1] = x[cuda.threadIdx.x]


def before(x, y):
    y[cuda.threadIdx.x] = x[cuda.threadIdx.x - 1]


def odd_load(x, y):
    if cuda.threadIdx.x == 0:
        y[0] = quad(x, 2)[0]


def odd_store(x, y):
    if cuda.threadIdx.x == 0:
        store_quad(y, 1, x[0], x[0], x[0], x[0])


def some_wait(x, y):
    if cuda.threadIdx.x > 0:
        cuda.syncthreads()
    y[cuda.threadIdx.x] = x[0]


def two_barriers(x, y):
    if cuda.threadIdx.x > 0:
        cuda.syncthreads()
    else:
        cuda.syncthreads()


def unawaited(x, y):
    shared = cuda.shared.array(4, float32)
    thread = cuda.threadIdx.x
    copy(shared, thread, x, thread, True)
    commit()
    arrived_but_one()
    cuda.syncthreads()
    y[thread] = shared[thread]


def odd_copy(x, y):
    shared = cuda.shared.array(8, float32)
    copy_quad(shared, 2, x, 0, True)


FAULTS = {
    without_barrier: "reads shared memory.*, which .* writes|which nobody has written",
    reversed_then(overwritten): "reads shared memory.*, which .* writes",
    all_to_one: r"writes y\[0\], which .* reads or writes",
    blocks_meet: r"writes y\[0\], which .* reads or writes",
    blocks_exchange: r"y\[.\], which .* (reads or )?writes",
    unwritten: "which nobody has written",
    outside: r"writes y\[4\] of 4",
    before: r"counts back to x\[-1\]",
    odd_load: r"moves 4 neighbours at x\[2\]",
    odd_store: r"moves 4 neighbours at y\[1\]",
    some_wait: "a barrier is not reached by all threads",
    two_barriers: "a barrier is not reached by all threads",
    unawaited: "while the copy of .* is on its way",
    reversed_then(copied_over): "while the copy of .* is on its way",
    odd_copy: r"moves 4 neighbours at shared memory\[2\]",
}


@pytest.mark.parametrize("kernel", FAULTS, ids=lambda kernel: kernel.__name__)
def test_a_fault_is_found(kernel):
    with pytest.raises(Fault, match=FAULTS[kernel]):
        run(kernel, memory(4), memory(4), grid=2 if "blocks" in kernel.__name__ else 1)


@emits(results=1)
def added(code, number):
    return [code.warp_sum(number)]


def half_a_warp_adds(x, y):
    if cuda.threadIdx.x < 16:
        y[cuda.threadIdx.x] = added(x[0])[0]


def warps_add(x, y):
    y[cuda.threadIdx.x] = added(x[cuda.threadIdx.x])[0]


def test_lanes_that_part_before_an_instruction_of_the_whole_warp_are_found():
    with pytest.raises(Fault, match="an instruction of a whole warp is not reached by all"):
        run(half_a_warp_adds, memory(32), memory(32), block=32)
    with pytest.raises(Fault, match="a warp of 16 lanes"):
        run(warps_add, memory(16), memory(16), block=16)
    assert run(warps_add, memory(64), memory(64), block=64)[[0, 63]].tolist() == [496, 1520]


@emits(results=2)
def two_matrices(code, memory, start):
    return code.matrices(memory, start, 0, 2)


def rows_in_turns(x, y):
    """Row r of two matrices, whose rows take turns."""
    lane = cuda.threadIdx.x
    row = lane % 16
    upper, lower = two_matrices(x, (row % 8 * 2 + row // 8) * 4)
    y[2 * lane] = upper
    y[2 * lane + 1] = lower


def odd_rows(x, y):
    y[cuda.threadIdx.x] = two_matrices(x, cuda.threadIdx.x % 16 * 3)[0]


def test_lanes_get_a_word_of_every_matrix_whose_rows_start_at_quads():
    pairs = run(rows_in_turns, memory(64), memory(64), block=32).reshape(8, 4, 2)
    rows = memory(64).reshape(8, 2, 4)
    assert (pairs == rows.transpose(0, 2, 1)).all()
    with pytest.raises(Fault, match=r"moves 4 neighbours at x\[3\]"):
        run(odd_rows, memory(64), memory(64), block=32)


class Nothing(NamedTuple):
    pass


def copied(x, y, shape):
    y[cuda.threadIdx.x] = x[cuda.threadIdx.x]


def test_what_neither_host_nor_device_has_written_is_not_read():
    driver, function = Sanitizer(), Function(copied, 0)
    x, y, z = driver.upload(memory(4)), driver.allocate(4), driver.allocate(4)

    def launch(*pointers):
        driver.launch(None, function, ((1, 1, 1), (4, 1, 1)), pointers, Nothing())

    launch(x.at(0), y.at(0))
    launch(y.at(0), x.at(0))
    with pytest.raises(Fault, match="which nobody has written"):
        launch(z.at(0), x.at(0))
