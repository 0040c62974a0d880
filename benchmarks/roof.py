"""
The roofs of this machine: fused multiply-adds a second, and bytes read from memory a second.

    python -m benchmarks.roof

No kernel can do more arithmetic than the first, nor read weights from memory faster than the
second. `cnndsl bench --layers` holds each step of a network against them.
"""

from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.targets import thread_count

if __name__ == "__main__":
    for threads in range(1, thread_count(None) + 1):
        roof = CpuBackend().roof(threads)
        print(f"threads {threads}: {roof.gflops:.1f} GFLOP/s, {roof.gigabytes:.1f} GB/s")
