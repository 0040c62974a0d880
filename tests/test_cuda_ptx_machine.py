"""The machine that runs PTX finds what a GPU does not forgive: a module for each fault."""

import numpy as np
import pytest
from cuda_memory import Fault
from ptx_machine.execute import Machine
from ptx_machine.matrix import dealt, left_cells, multiplied, right_cells, sum_cells
from ptx_machine.memory import DeviceMemory
from ptx_machine.parser import PtxError

# Arguments: x, y and the number of this thread in the block times 4.
HEAD = """
.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 brought[];
.visible .shared .align 16 .b8 own[256];
.visible .entry tried(.param .u64 p0, .param .u64 p1)
{
    .reg .pred %p<9>;
    .reg .f32 %f<9>;
    .reg .b32 %r<19>;
    .reg .b64 %rd<19>;
    ld.param.u64 %rd1, [p0];
    ld.param.u64 %rd2, [p1];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd3, %r1, 4;
    add.s64 %rd4, %rd1, %rd3;
    add.s64 %rd5, %rd2, %rd3;
    mov.u64 %rd6, own;
    add.s64 %rd7, %rd6, %rd3;
    cvt.u32.u64 %r2, %rd7;
    setp.eq.u32 %p1, %r1, 0;
    setp.lt.u32 %p2, %r1, 8;
"""


def run(body, x, block=32, grid=1, written=64, dynamic_bytes=0):
    """The floats that a kernel of these statements leaves in y, on an x of these."""
    memory = DeviceMemory()
    x = np.asarray(x, np.float32)
    addresses = [memory.allocate(x.size), memory.allocate(written)]
    memory.upload(addresses[0], x)
    extents = (grid, 1, 1), (block, 1, 1)
    machine = Machine(HEAD + body + "\nret;\n}\n")
    machine.launch(memory, extents, dynamic_bytes, [np.uint64(a) for a in addresses])
    return memory.download(addresses[1], written)


NUMBERS = np.arange(32) / 8 - 1
LOAD, STORE = "ld.global.f32 %f1, [%rd4];", "st.global.f32 [%rd5], %f1;"
TO_SHARED = f"{LOAD} st.shared.f32 [%rd7], %f1;"
COPY = "cp.async.ca.shared.global [%r2], [%rd4], 4, 4; cp.async.commit_group;"
FROM_NEIGHBOUR = """
    xor.b32 %r3, %r2, 4;
    cvt.u64.u32 %rd8, %r3;
    ld.shared.f32 %f1, [%rd8];
"""


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("add.s64 %rd4, %rd4, 128; " + LOAD, "reads outside"),
        ("add.s64 %rd4, %rd4, -4096; " + LOAD, "reads outside"),
        ("ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd4];", "moves 16 bytes at"),
        ("ld.global.f32 %f1, [%rd5];", "nobody has written"),
        ("ld.shared.f32 %f1, [%rd7];", "nobody has written"),
        ("ld.shared.f32 %f1, [%rd7+256];", "outside"),
        (LOAD + "st.global.f32 [%rd2], %f1;", "writes memory"),
        (TO_SHARED + FROM_NEIGHBOUR, "reads shared memory.*meets"),
        (TO_SHARED + "@%p1 bra A; bar.sync 0; A:", "wait for others that do not come"),
        ("@%p1 bra A; shfl.sync.bfly.b32 %r3, %r1, 1, 31, -1; A:", "wait for others"),
        ("mov.f32 %f1, %f8; add.s64 %rd4, %rd4, %rd18; " + LOAD, "reads outside|moves 4 bytes at"),
        # Copies: read too early, by someone else without a barrier, over what is still read.
        (COPY + "ld.shared.f32 %f1, [%rd7];", "what a copy is on its way to"),
        (COPY + "cp.async.wait_group 1; ld.shared.f32 %f1, [%rd7];", "what a copy is on its way"),
        (COPY + "cp.async.wait_group 0;" + FROM_NEIGHBOUR, "reads shared memory.*meets"),
        (TO_SHARED + "bar.sync 0;" + FROM_NEIGHBOUR + COPY, "copies to|writes shared memory"),
        ("cp.async.cg.shared.global [%r2], [%rd4], 16, 16;", "moves 16 bytes at"),
        (
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, "
            "{%r5, %r5, %r5, %r5}, {%r5, %r5}, {%f5, %f5, %f5, %f5};",
            "nobody has rounded",
        ),
        # Of one matrix, but lanes from 8 on tell of no row.
        (
            "shl.b32 %r6, %r1, 4; add.s32 %r6, %r6, 1024;"
            "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r7}, [%r6];",
            "outside of shared memory",
        ),
    ],
)
def test_a_fault_is_found(body, complaint):
    prepared = "mov.b32 %r5, 0x3F800001; mov.f32 %f5, 0f00000000;"
    with pytest.raises(Fault, match=complaint):
        run(prepared + body, NUMBERS)


@pytest.mark.parametrize(
    "body",
    [
        TO_SHARED + "bar.sync 0;" + FROM_NEIGHBOUR + STORE,
        COPY + "cp.async.wait_group 0; bar.sync 0;" + FROM_NEIGHBOUR + STORE,
        LOAD + "shfl.sync.bfly.b32 %f1, %f1, 1, 31, -1;" + STORE,
    ],
)
def test_neighbours_exchange_their_numbers(body):
    y = run(body, NUMBERS)
    np.testing.assert_array_equal(y[:32], NUMBERS.reshape(-1, 2)[:, ::-1].ravel())


def test_a_kernel_that_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr("ptx_machine.execute.MOST_STEPS", 1000)
    with pytest.raises(Fault, match="does not end"):
        run("A: bra A;", NUMBERS)


def test_a_block_with_more_threads_than_its_kernel_allows_is_refused():
    bounded = HEAD.replace(".param .u64 p1)", ".param .u64 p1)\n.maxntid 32, 1, 1\n.minnctapersm 4")
    for head, threads in ((bounded, 64), (HEAD, 2048)):
        machine, extents = Machine(head + "ret;\n}\n"), ((1, 1, 1), (threads, 1, 1))
        with pytest.raises(Fault, match="no block has"):
            machine.launch(DeviceMemory(), extents, 0, [np.uint64(0)] * 2)


def test_blocks_that_write_the_same_word_meet():
    with pytest.raises(Fault, match=r"of block 0 .* writes memory.*of block 1"):
        run(LOAD + STORE, NUMBERS, grid=2)


def test_a_barrier_orders_only_what_it_stands_between():
    body = TO_SHARED + "bar.sync 0;" + FROM_NEIGHBOUR + "st.shared.f32 [%rd7], %f1;"
    with pytest.raises(Fault, match=r"writes shared memory.*meets"):
        run(body, NUMBERS)


def test_what_a_copy_does_not_take_is_zero():
    body = "selp.b32 %r4, 4, 0, %p2;" + COPY.replace("4, 4", "4, %r4")
    y = run(body + "cp.async.wait_all; ld.shared.f32 %f1, [%rd7];" + STORE, NUMBERS)
    np.testing.assert_array_equal(y[:32], np.where(np.arange(32) < 8, NUMBERS, 0))


def test_rows_of_matrices_are_read_where_lanes_tell():
    body = f"""
        {TO_SHARED}
        bar.sync 0;
        and.b32 %r6, %r1, 7;
        shl.b32 %r6, %r6, 4;
        add.s32 %r6, %r6, 1024;
        ldmatrix.sync.aligned.m8n8.x1.shared.b16 {{%f1}}, [%r6];
        {STORE}
    """
    np.testing.assert_array_equal(run(body, NUMBERS)[:32], NUMBERS)


def test_a_wait_leaves_the_newest_groups_on_their_way():
    second = COPY.replace("%r2", "%r6")
    begin = "add.s32 %r6, %r2, 128;" + COPY + second + "cp.async.wait_group 1;"
    run(begin + "ld.shared.f32 %f1, [%rd7];", NUMBERS)
    with pytest.raises(Fault, match="on its way"):
        run(begin + "ld.shared.f32 %f1, [%rd7+128];", NUMBERS)


def test_shared_memory_of_a_launch_lies_behind_a_kernels_own():
    body = LOAD + "mov.u64 %rd8, brought; add.s64 %rd8, %rd8, %rd3; st.shared.f32 [%rd8], %f1;"
    run(body, NUMBERS, dynamic_bytes=128)
    with pytest.raises(Fault, match="outside"):
        run(body, NUMBERS, dynamic_bytes=64)
    run(body + "mov.u32 %r7, %dynamic_smem_size;", NUMBERS, dynamic_bytes=128)


def test_lanes_that_part_meet_again():
    body = f"""
        {LOAD}
        mov.u32 %r3, 0;
    AGAIN:
        setp.ge.u32 %p3, %r3, %r1;
        @%p3 bra DONE;
        add.f32 %f1, %f1, 0f3F800000;
        add.s32 %r3, %r3, 1;
        bra.uni AGAIN;
    DONE:
        shfl.sync.bfly.b32 %f1, %f1, 31, 31, -1;
        {STORE}
    """
    y = run(body, NUMBERS)
    np.testing.assert_array_equal(y[:32], (NUMBERS + np.arange(32))[::-1])


def test_lanes_that_have_ended_are_not_waited_for_at_barriers():
    y = run(f"@!%p2 ret; {LOAD} bar.sync 0; {STORE}", NUMBERS)
    np.testing.assert_array_equal(y[:8], NUMBERS[:8])
    assert (y[8:] == 0).all()


# ---- arithmetic


@pytest.mark.parametrize(
    ("statement", "want"),
    [
        ("copysign.f32 %f1, %f1, 0f40000000;", np.copysign(2, NUMBERS)),
        ("add.rz.f32 %f1, %f1, 0f2B800000;", np.where(NUMBERS < 0, np.nextafter(
            np.float32(NUMBERS), np.float32(0)), np.where(NUMBERS == 0, 2.0**-40, NUMBERS))),
        ("cvt.rni.f32.f32 %f1, %f1;", np.rint(NUMBERS)),
        ("cvt.sat.f32.f32 %f1, %f1;", np.clip(NUMBERS, 0, 1)),
        ("cvt.rzi.s32.f32 %r8, %f1; cvt.rn.f32.s32 %f1, %r8;", np.trunc(NUMBERS)),
        ("cvt.rzi.u32.f32 %r8, %f1; cvt.rn.f32.u32 %f1, %r8;", np.trunc(NUMBERS).clip(0)),
        ("mov.b32 %r8, %f1; shr.s32 %r8, %r8, 40; cvt.rn.f32.s32 %f1, %r8;", -1.0 * (NUMBERS < 0)),
        ("mov.b32 %r8, %f1; shr.u32 %r8, %r8, 40; cvt.rn.f32.s32 %f1, %r8;", 0 * NUMBERS),
        ("cvt.rn.f32.u32 %f1, %r1; cvt.s64.s32 %rd9, %r1; sub.s64 %rd9, %rd9, 7;"
         "div.s64 %rd9, %rd9, 4; cvt.rn.f32.s64 %f1, %rd9;", np.trunc((np.arange(32) - 7) / 4)),
        ("setp.gtu.f32 %p3, %f1, 0f7FC00000; selp.f32 %f1, 0f3F800000, %f1, %p3;", 1 + 0 * NUMBERS),
        ("cvt.rn.bf16x2.f32 %r8, %f1, 0f40400000; and.b32 %r8, %r8, 0xFFFF0000;"
         "mov.b32 %f1, %r8;", NUMBERS),
        ("{.reg .b16 low, high; cvt.rn.f16.f32 low, %f1; mov.b32 %r8, {low, low};"
         "mov.b32 {low, high}, %r8; cvt.f32.f16 %f1, high;}", NUMBERS),
    ],
)  # fmt: skip
def test_an_instruction_computes_what_its_description_says(statement, want):
    np.testing.assert_array_equal(run(LOAD + statement + STORE, NUMBERS)[:32], want)


def test_ties_of_tf32_go_away_from_zero():
    ties = np.tile(np.float32([1 + 2.0**-11, -1 - 2.0**-11, 1 + 3 * 2.0**-11, 1]), 8)
    y = run(LOAD + "cvt.rna.tf32.f32 %r8, %f1; mov.b32 %f1, %r8;" + STORE, ties)
    assert y[:4].tolist() == [1 + 2.0**-10, -1 - 2.0**-10, 1 + 2 * 2.0**-10, 1]


def test_what_the_machine_does_not_know_is_said():
    with pytest.raises(PtxError, match=r"atom\.global"):
        run("atom.global.add.f32 %f1, [%rd4], %f1;", NUMBERS)


# ---- matrices


@pytest.mark.parametrize(
    ("form", "depth", "registers"), [("tf32", 8, 4), ("f16", 8, 2), ("f16", 16, 4), ("bf16", 16, 4)]
)
def test_the_fragments_of_a_warp_hold_each_cell_once_and_are_multiplied(form, depth, registers):
    each = 1 if form == "tf32" else 2
    for cells, shape in (
        (left_cells(registers, each), (16, depth)),
        (right_cells(registers // 2, each), (depth, 8)),
        (sum_cells(), (16, 8)),
    ):
        places = np.stack([place.ravel() for place in np.broadcast_arrays(*cells)], -1)
        assert sorted(map(tuple, places.tolist())) == list(np.ndindex(shape))
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(-4, 5, s).astype(float) for s in ((16, depth), (depth, 8), (16, 8)))
    left, right = a[left_cells(registers, each)], b[right_cells(registers // 2, each)]
    words = [_words(form, factor)[None] for factor in (left, right)]
    d = multiplied(depth, form, *words, c[sum_cells()][None].astype(np.float32))
    np.testing.assert_array_equal(d[0], (a @ b + c)[sum_cells()])


def _words(form, numbers):
    """Registers of numbers whose last axis shares a word."""
    floats = numbers.astype(np.float32)
    if form == "tf32":
        return floats[..., 0].view(np.uint32)
    halves = floats.astype(np.float16).view(np.uint16) if form == "f16" else floats.view("u4") >> 16
    halves = halves.astype(np.uint32)
    return halves[..., 0] | halves[..., 1] << 16


def test_matrices_are_dealt_by_rows_or_by_columns():
    halves = np.arange(64, dtype=np.uint32).reshape(8, 8)
    rows = (halves[:, 0::2] | halves[:, 1::2] << 16)[None, None]
    straight, turned = (dealt(rows, transposed)[0, :, 0] for transposed in (False, True))
    for lane in range(32):
        group, member = lane >> 2, lane % 4
        low, high = halves[group, 2 * member : 2 * member + 2]
        assert straight[lane] == low | high << 16
        low, high = halves[2 * member : 2 * member + 2, group]
        assert turned[lane] == low | high << 16
