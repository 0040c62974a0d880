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
    ELEMENTS,
    FIELDS,
    GRAIN,
    INPUT_FIELDS,
    KERNEL,
    OUTPUT_FIELDS,
    PLACE_WORDS,
    PLACES,
    PROGRAM,
    RAISED,
    ROW_WORDS,
    SCRATCH,
    STEPS,
    UNITS,
    WATCHED,
)

_WORD = 8
_PATIENCE = 4000  # pauses before a waiting thread offers its core: some tens of microseconds
_WATCH = 16000  # pauses that a helper watches for the next run: a few hundred microseconds


def run(record: int, inputs: int, outputs: int, state: int) -> None:
    """
    Run the program of a participant's `record`.

    `inputs` and `outputs` are addresses of words that hold the addresses of the caller's array
    objects; where they are not 0, the program's fields are pointed to these arrays first.

    Without a `state` (0) the caller does all the work. With one, every thread that walks the same
    program over the same state takes part: it draws `grain` units at a time from a step's first
    counter, adds what it has done to the second, and goes on to the next step once all units are
    done. A thread may join late or never; nobody waits for more than units in flight.

    A helper's record names a counter to watch at the end: it returns as soon as somebody raises
    that, or after a while. What a waking thread would cost, a run after run spares.
    """
    watched = load_int(record, WATCHED)
    seen = read_counter(watched) if watched != 0 else 0
    if inputs != 0:
        elements = load_int(record, ELEMENTS)
        read = load_int(record, INPUT_FIELDS)
        for i in range(read + load_int(record, OUTPUT_FIELDS)):
            place = PLACES + PLACE_WORDS * i
            arrays = inputs if i < read else outputs
            start = load_int(load_int(arrays, load_int(record, place + 1)), elements)
            store_int(load_int(record, place), 0, start + load_int(record, place + 2))
    if state != 0 and load_int(record, RAISED) != 0:
        raise_counter(load_int(record, RAISED), 1)
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
    if watched != 0:
        turns = 0
        while read_counter(watched) == seen and turns < _WATCH:
            turns += 1
            pause()
