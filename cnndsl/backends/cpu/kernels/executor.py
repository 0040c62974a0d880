"""The one function that runs a network: it walks a program, alone or together with others."""

from cnndsl.backends.cpu.kernels.atomics import (
    call_kernel,
    give_way,
    pause,
    raise_counter,
    read_counter,
)
from cnndsl.backends.cpu.memory import load_int, store_int
from cnndsl.backends.cpu.program_layout import (
    CACHE_LINE,
    COUNTER_BYTES,
    FIELDS,
    GRAIN,
    KERNEL,
    PLACES,
    PROGRAM,
    ROW_WORDS,
    SCRATCH,
    STEPS,
    UNITS,
    X_FIELDS,
    Y_FIELDS,
)

_WORD = 8
_PATIENCE = 4000  # pauses before a waiting thread offers its core: some tens of microseconds


def run(record: int, x: int, y: int, state: int) -> None:
    """
    Run the program of a participant's `record`.

    `x` and `y` are addresses of words that hold the addresses of the caller's arrays; where they
    are not 0, the program's fields are pointed to these arrays first.

    Without a `state` (0) the caller does all the work. With one, every thread that walks the same
    program over the same state takes part: it draws `grain` units at a time from a step's first
    counter, adds what it has done to the second, and goes on to the next step once all units are
    done. A thread may join late or never; nobody waits for more than units in flight.
    """
    if x != 0:
        inputs = load_int(record, X_FIELDS)
        for i in range(inputs + load_int(record, Y_FIELDS)):
            start = load_int(x if i < inputs else y, 0)
            field = load_int(record, PLACES + 2 * i)
            store_int(field, 0, start + load_int(record, PLACES + 2 * i + 1))
    program = load_int(record, PROGRAM)
    scratch = load_int(record, SCRATCH)
    for step in range(load_int(record, STEPS)):
        row = program + step * ROW_WORDS * _WORD
        kernel = load_int(row, KERNEL)
        units = load_int(row, UNITS)
        fields = row + FIELDS * _WORD
        if state == 0:
            call_kernel(kernel, fields, 0, units, scratch)
        else:
            drawn = state + step * COUNTER_BYTES
            done = drawn + CACHE_LINE
            grain = load_int(row, GRAIN)
            begin = raise_counter(drawn, grain)
            while begin < units:
                end = min(begin + grain, units)
                call_kernel(kernel, fields, begin, end, scratch)
                raise_counter(done, end - begin)
                begin = raise_counter(drawn, grain)
            waited = 0
            while read_counter(done) < units:
                waited += 1
                if waited < _PATIENCE:
                    pause()
                else:
                    give_way()
