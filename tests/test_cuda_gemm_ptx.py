"""What the compilers make of the CUDA target's matrix kernels: no GPU is needed to see it."""

import re

import pytest

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.availability import missing_compilers
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if SIMULATED or missing_compilers():
    pytest.skip("needs NVIDIA's compilers: pip install 'cnndsl[cuda]'", allow_module_level=True)

from cnndsl.backends.cuda.compile import kernel_ptx
from cnndsl.backends.cuda.gpu import ARCHITECTURES, architecture_name, assumed_gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.link import can_link, link
from cnndsl.backends.cuda.shapes.conv_depthwise import DepthwiseTile
from cnndsl.backends.cuda.shapes.dense_vector import VectorTile
from cnndsl.backends.cuda.tiles import tile_kernel, tiles

pytestmark = pytest.mark.slow

STATIC_BYTES = 48 * 1024  # that a block has without asking
REGISTERS = 65536  # of a processor

VECTORS = [VectorTile(1, 1, 8), VectorTile(8, 8, 1), VectorTile(2, 4, 2, "float16", 1)]
THIN = [
    DepthwiseTile("each", 4, 3, 1, 1),
    DepthwiseTile("groups", 4, 3, 2, 1),
    DepthwiseTile("single", 4, 5, 1, 2),
]


def named(architecture, tile):
    words = "-".join(str(field) for field in tile)
    return pytest.param(architecture, tile, id=f"{architecture_name(architecture)}-{words}")


def tile_cases():
    """Tiles of each architecture and precision: the largest, and one that reads no quads."""
    for architecture in ARCHITECTURES:
        gpu = assumed_gpu(architecture)
        for precision in ("float32", "tf32", "float16", "bfloat16"):
            if architecture >= (8, 0) or precision in ("float32", "float16"):
                yield named(architecture, tiles(gpu, precision, 4)[0])
                yield named(architecture, tiles(gpu, precision, 1)[3])


def all_of(cases):
    return [named(architecture, case) for architecture in ARCHITECTURES for case in cases]


def compiled(kernel: Kernel, architecture, threads: int) -> str:
    """The PTX, once it is known to keep all it computes with in registers."""
    ptx = kernel_ptx(kernel, architecture)
    assert ".local" not in ptx
    assert ".f64" not in ptx
    assert not re.search(r"\bcall\b", ptx)
    assert not re.search(r"\b(ld|st)\.(v\d\.)?f32", ptx), "an address space is unknown"
    if can_link():
        code = link(ptx, architecture)
        assert code.spilled_bytes == code.stack_bytes == 0
        shared_bytes = code.shared_bytes + kernel.shared_bytes
        assert code.shared_bytes <= STATIC_BYTES
        assert shared_bytes <= assumed_gpu(architecture).shared_bytes
        # Registers are given to threads by eights.
        _, resident = kernel.bounds or (threads, 1)
        assert resident * threads * -(-code.registers // 8) * 8 <= REGISTERS
        usage = f"{code.registers} registers, {shared_bytes} bytes shared"
        print(f"{architecture_name(architecture)} {kernel.name}: {usage}")
    return ptx


@pytest.mark.parametrize(("architecture", "tile"), list(tile_cases()))
def test_a_tile_multiplies_in_registers_what_it_has_copied_by_quads(architecture, tile):
    ptx = compiled(tile_kernel(tile, "relu"), architecture, tile.threads)
    core = tile.tensor_core
    if core:
        results = tile.thread_rows * tile.thread_columns
        assert ptx.count("mma.sync") == results * tile.depth // core.depth
        assert f"m16n8k{core.depth}.row.col.f32" in ptx
        left = tile.thread_rows * tile.depth // 8
        right = tile.thread_columns * tile.depth // core.depth * core.right_words // 4
        assert ptx.count("ldmatrix.sync.aligned.m8n8.x4.shared.b16") == left + right
    else:
        assert ptx.count("fma.rn.f32") == tile.sums * tile.depth
        assert "ld.shared.v4.f32" in ptx
    copies = ptx.count("cp.async.cg") if tile.asynchronous else ptx.count("ld.global.v4")
    assert copies > 0
    assert ("cp.async" in ptx) == bool(tile.asynchronous)


@pytest.mark.parametrize(("architecture", "tile"), all_of(VECTORS))
def test_a_dense_layer_reads_its_weights_by_quads_and_adds_lanes_by_shuffles(architecture, tile):
    kernel = Kernel("dense_vector", "dense_vector_kernel", (tuple(tile), "relu"))
    ptx = compiled(kernel, architecture, tile.threads)
    assert ptx.count("ld.global.v4") >= 4
    assert ptx.count("shfl.sync.bfly") == 5 * tile.sums


@pytest.mark.parametrize(("architecture", "tile"), all_of(THIN))
def test_a_thin_convolution_keeps_its_pixels_in_registers(architecture, tile):
    kernel = Kernel("conv_depthwise", "conv_depthwise_kernel", (tuple(tile), "relu"))
    ptx = compiled(kernel, architecture, 256)
    products = tile.kernel_width * tile.sums * tile.in_maps
    assert ptx.count("fma.rn.f32") % products == 0
    assert ("ld.global.v4" in ptx) == (tile.maps != "single")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=architecture_name)
def test_splits_are_added_in_registers(architecture):
    compiled(Kernel("split_sum", "split_sum_kernel", ("relu",)), architecture, 256)
