"""What runs a network: it walks a program, alone or together with helpers."""

from numba.extending import register_jitable

from cnndsl.backends.cpu.kernels.atomics import (
    call_kernel,
    exchange,
    give_way,
    pause,
    raise_counter,
    read_counter,
    write_counter,
)
from cnndsl.backends.cpu.memory import load_int, store_int
from cnndsl.backends.cpu.program_layout import (
    ALONE,
    AWAKE,
    CACHE_LINE,
    DESK,
    DESK_COUNT,
    DESKS,
    DONE,
    DRAWN,
    ELEMENTS,
    END,
    FIELDS,
    FRONT,
    GRAIN,
    INPUT_FIELDS,
    INVITATION_WORDS,
    INVITATIONS,
    INVITED,
    ITEMS,
    KERNEL,
    NOTE,
    OFFERED,
    OUTPUT_FIELDS,
    PLACE_WORDS,
    PLACES,
    PROGRAM,
    RECORD,
    ROW_WORDS,
    SCRATCH,
    STATE,
    STEPS,
    UNITS,
)

_WORD = 8  # bytes
_HALF, _LOWER_HALF = 32, (1 << 32) - 1  # of a counter of units drawn
_PATIENCE = 4000  # pauses before a waiting thread offers its core: some tens of microseconds
_WATCH = 16000  # pauses that a helper watches for the next run: a few hundred microseconds


def run(record: int, ends: int, _a: int, _b: int) -> None:
    """
    Run the program of a caller's `record`, with the helpers that are free.

    `ends` is the address of two words, the addresses of a tuple of the caller's input arrays and of
    one of the output arrays: the program's fields are pointed to these arrays first.
    """
    items, elements = load_int(record, ITEMS), load_int(record, ELEMENTS)
    inputs, outputs = load_int(ends, 0) + items, load_int(ends, 1) + items
    read = load_int(record, INPUT_FIELDS)
    for i in range(read + load_int(record, OUTPUT_FIELDS)):
        place = PLACES + PLACE_WORDS * i
        arrays = inputs if i < read else outputs
        start = load_int(load_int(arrays, load_int(record, place + 1)), elements)
        store_int(load_int(record, place), 0, start + load_int(record, place + 2))
    if load_int(record, STATE) == 0:
        _do_all(load_int(record, PROGRAM), load_int(record, STEPS), load_int(record, SCRATCH))
    else:
        _invite(record)
        _walk_together(record)
        _part(record)


def watch(desk: int, _a: int, _b: int, _c: int) -> None:
    """
    Take part in the runs that a helper is invited to at its `desk`, until none comes for a while.

    What waking a thread would cost, a run after run spares.
    """
    turns = 0
    while turns < _WATCH:
        offered = read_counter(desk + OFFERED * _WORD)
        if offered != 0 and exchange(desk + OFFERED * _WORD, offered, offered + 1) == offered:
            _walk_together(offered)
            write_counter(desk + OFFERED * _WORD, 0)
            turns = 0
        turns += 1
        pause()
    write_counter(desk + AWAKE * _WORD, 0)


@register_jitable
def _invite(record: int) -> None:
    """Clear the state of a run, and leave its helpers' records on desks that are free."""
    state = load_int(record, STATE)
    for step in range(load_int(record, STEPS)):
        store_int(state + step * CACHE_LINE, DRAWN, 0)
        store_int(state + step * CACHE_LINE, DONE, 0)
    desks, number = load_int(record, DESKS), 0
    for i in range(load_int(record, INVITED)):
        invitation = load_int(record, INVITATIONS) + i * INVITATION_WORDS * _WORD
        left = 0
        while left == 0 and number < load_int(record, DESK_COUNT):
            offered = desks + number * CACHE_LINE + OFFERED * _WORD
            if exchange(offered, 0, load_int(invitation, RECORD)) == 0:
                left = offered
            number += 1
        store_int(invitation, DESK, left)


@register_jitable
def _part(record: int) -> None:
    """Take back the records that no helper has taken up, and wait until the others are done."""
    for i in range(load_int(record, INVITED)):
        invitation = load_int(record, INVITATIONS) + i * INVITATION_WORDS * _WORD
        offered, given = load_int(invitation, DESK), load_int(invitation, RECORD)
        if offered != 0 and exchange(offered, given, 0) != given:
            _wait_while(offered, given + 1, given + 2)


@register_jitable
def _wait_while(address: int, low: int, high: int) -> None:
    """Wait while a counter is at least `low` and less than `high`."""
    waited = 0
    while low <= read_counter(address) < high:
        waited += 1
        if waited < _PATIENCE:
            pause()
        else:
            give_way()


@register_jitable
def _walk_together(record: int) -> None:
    """
    Do a participant's part of a run, step by step.

    It draws units from one end until all are drawn, adds what it has done to the step's other
    counter, and goes on to the next step once all units are done. A participant may come late or
    never; nobody waits for more than units in flight. Drawing from two ends, two participants find
    in their caches what they have written themselves a step before.
    """
    program, scratch = load_int(record, PROGRAM), load_int(record, SCRATCH)
    end, steps = load_int(record, END), load_int(record, STEPS)
    counters, step = load_int(record, STATE), 0
    while step < steps:
        row = program + step * ROW_WORDS * _WORD
        alone = load_int(row, ALONE)
        units = load_int(row, UNITS) if alone == 0 else 1
        grain = load_int(row, GRAIN) if alone == 0 else 1
        drawn = counters + step * CACHE_LINE + DRAWN * _WORD
        done = counters + step * CACHE_LINE + DONE * _WORD
        mine, taken = 0, 0
        store_int(scratch, NOTE, 0)
        while taken < units:
            before = raise_counter(drawn, grain * end)
            front, back = before & _LOWER_HALF, before >> _HALF
            taken = front + back
            if taken < units:
                count = min(grain, units - taken)
                if alone == 0:
                    begin = front if end == FRONT else units - back - count
                    fields = row + FIELDS * _WORD
                    call_kernel(load_int(row, KERNEL), fields, begin, begin + count, scratch)
                else:
                    _do_all(row, alone, scratch)
                mine += count
                # Looking whether anything is left costs less than drawing in vain.
                now = read_counter(drawn)
                taken = (now & _LOWER_HALF) + (now >> _HALF)
        finished = raise_counter(done, mine) + mine if mine > 0 else 0
        if finished < units:
            _wait_while(done, 0, units)
        step += max(1, alone)


@register_jitable
def _do_all(row: int, steps: int, scratch: int) -> None:
    """Do all units of the steps from a program's `row` on."""
    for _ in range(steps):
        units = load_int(row, UNITS)
        store_int(scratch, NOTE, 0)
        call_kernel(load_int(row, KERNEL), row + FIELDS * _WORD, 0, units, scratch)
        row += ROW_WORDS * _WORD
