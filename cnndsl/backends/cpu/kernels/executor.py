"""What runs a network: it walks a program, alone or together with helpers."""

from collections.abc import Generator
from contextlib import contextmanager

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import Variable
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.atomics import (
    exchange,
    give_way,
    pause,
    raise_counter,
    read_counter,
    write_counter,
)
from cnndsl.backends.cpu.memory import SCALAR, call, entry, set_entry
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
_TURN = 256  # pauses, some microseconds, after which it offers its core: its caller's, it may be


@emits(SCALAR)
def _execute(code: Code, record: Value, ends: Value) -> None:
    of, places = code.integer(record), code.integer(ends)
    with code.builder.if_else(places.is_("==", 0)) as (helper, caller):
        with helper:
            _watch(code, of)
        with caller:
            _point(code, of, places)
            _run(code, of)


def run(record: int, ends: int, _a: int, _b: int) -> None:
    """
    Run the program of a caller's `record`, with the helpers that are free.

    `ends` is the address of two words, the addresses of a tuple of the caller's input arrays and of
    one of the output arrays: the program's fields are pointed to these arrays first.

    Where it is 0, `record` is a helper's desk, and this takes part in the runs that the helper is
    invited to there, until none comes for a while. What waking a thread would cost, a run after run
    spares.
    """
    _execute(record, ends)


def _point(code: Code, record: Int, ends: Int) -> None:
    """Point a program's fields to the elements of a caller's arrays."""
    items, elements = entry(code, record, ITEMS), entry(code, record, ELEMENTS)
    inputs, outputs = (entry(code, ends, i) + items for i in range(2))
    read, written = entry(code, record, INPUT_FIELDS), entry(code, record, OUTPUT_FIELDS)
    with code.each(0, read + written) as i:
        place = i * PLACE_WORDS + PLACES
        field, port, offset = (entry(code, record, place + word) for word in range(PLACE_WORDS))
        array = entry(code, inputs.where(i.is_("<", read), outputs), port)
        set_entry(code, field, 0, entry(code, array, elements) + offset)


def _run(code: Code, record: Int) -> None:
    """Run a program whose fields are all right."""
    program, steps = entry(code, record, PROGRAM), entry(code, record, STEPS)
    with code.builder.if_else(entry(code, record, STATE).is_("==", 0)) as (alone, together):
        with alone:
            _do_all(code, program, steps, entry(code, record, SCRATCH))
        with together:
            _invite(code, record)
            code.call_emitted(_walk_together, record)
            _part(code, record)


def _watch(code: Code, desk: Int) -> None:
    """Take part in what is offered at a desk, until nothing is for a while."""
    place, turns = desk + OFFERED * _WORD, code.variable(0)
    with code.during(lambda: turns.value.is_("<", _WATCH)):
        turns.set(turns.value + 1)
        offered = read_counter(code, place)
        with code.builder.if_then(offered.is_("!=", 0)):
            taken = exchange(code, place, offered, offered + 1)
            with code.builder.if_then(taken.is_("==", offered)):
                code.call_emitted(_walk_together, offered)
                write_counter(code, place, 0)
                turns.set(0)
        pause(code)
        with code.builder.if_then((turns.value & (_TURN - 1)).is_("==", 0)):
            give_way(code)
    write_counter(code, desk + AWAKE * _WORD, 0)


def _invite(code: Code, record: Int) -> None:
    """Clear the state of a run, and leave its helpers' records on desks that are free."""
    state, desks = entry(code, record, STATE), entry(code, record, DESKS)
    with code.each(0, entry(code, record, STEPS)) as step:
        set_entry(code, state + step * CACHE_LINE, DRAWN, 0)
        set_entry(code, state + step * CACHE_LINE, DONE, 0)
    count, number = entry(code, record, DESK_COUNT), code.variable(0)
    with _each_invitation(code, record) as invitation:
        left = code.variable(0)

        def looking(left: Variable = left) -> Value:
            none = left.value.is_("==", 0)
            return code.builder.and_(none, number.value.is_("<", count))

        with code.during(looking):
            offered = desks + number.value * CACHE_LINE + OFFERED * _WORD
            before = exchange(code, offered, 0, entry(code, invitation, RECORD))
            left.set(offered.where(before.is_("==", 0), 0))
            number.set(number.value + 1)
        set_entry(code, invitation, DESK, left.value)


def _part(code: Code, record: Int) -> None:
    """Take back the records that no helper has taken up, and wait until the others are done."""
    with _each_invitation(code, record) as invitation:
        offered, given = entry(code, invitation, DESK), entry(code, invitation, RECORD)
        with code.builder.if_then(offered.is_("!=", 0)):
            found = exchange(code, offered, given, 0)
            with code.builder.if_then(found.is_("!=", given)):
                _wait_while(code, offered, given + 1, given + 2)


@contextmanager
def _each_invitation(code: Code, record: Int) -> Generator[Int]:
    """Emit a loop over a caller's invitations."""
    first = entry(code, record, INVITATIONS)
    with code.each(0, entry(code, record, INVITED)) as i:
        yield first + i * (INVITATION_WORDS * _WORD)


def _wait_while(code: Code, address: Int, low: Int | int, high: Int) -> None:
    """Wait while a counter is at least `low` and less than `high`."""
    waited = code.variable(0)

    def within() -> Value:
        counter = read_counter(code, address)
        return code.builder.and_(counter.is_(">=", low), counter.is_("<", high))

    with code.during(within):
        waited.set(waited.value + 1)
        patient = waited.value.is_("<", _PATIENCE)
        with code.builder.if_else(patient) as (pausing, giving_way):
            with pausing:
                pause(code)
            with giving_way:
                give_way(code)


def _walk_together(code: Code, record: Int) -> None:
    """
    Do a participant's part of a run, step by step.

    It draws units from one end until all are drawn, adds what it has done to the step's other
    counter, and goes on to the next step once all units are done. A participant may come late or
    never; nobody waits for more than units in flight. Drawing from two ends, two participants find
    in their caches what they have written themselves a step before.
    """
    program, scratch = entry(code, record, PROGRAM), entry(code, record, SCRATCH)
    end, steps = entry(code, record, END), entry(code, record, STEPS)
    state, step = entry(code, record, STATE), code.variable(0)
    with code.during(lambda: step.value.is_("<", steps)):
        row = program + step.value * (ROW_WORDS * _WORD)
        counters = state + step.value * CACHE_LINE
        alone = entry(code, row, ALONE)
        shared = alone.is_("==", 0)
        units = entry(code, row, UNITS).where(shared, 1)
        done, mine = counters + DONE * _WORD, code.variable(0)
        set_entry(code, scratch, NOTE, 0)
        with _each_draw(code, counters, units, entry(code, row, GRAIN).where(shared, 1), end) as (
            begin,
            count,
        ):
            with code.builder.if_else(shared) as (some, all_alone):
                with some:
                    _call_kernel(code, row, begin, begin + count, scratch)
                with all_alone:
                    _do_all(code, row, alone, scratch)
            mine.set(mine.value + count)
        finished = code.variable(0)
        with code.builder.if_then(mine.value.is_(">", 0)):
            finished.set(raise_counter(code, done, mine.value) + mine.value)
        with code.builder.if_then(finished.value.is_("<", units)):
            _wait_while(code, done, 0, units)
        step.set(step.value + alone.max(1))


@contextmanager
def _each_draw(
    code: Code, counters: Int, units: Int, grain: Int, end: Int
) -> Generator[tuple[Int, Int]]:
    """Emit a loop over the units that a participant draws from its end: the first, how many."""
    drawn, taken = counters + DRAWN * _WORD, code.variable(0)
    with code.during(lambda: taken.value.is_("<", units)):
        before = raise_counter(code, drawn, grain * end)
        front, back = before & _LOWER_HALF, before >> _HALF
        taken.set(front + back)
        with code.builder.if_then(taken.value.is_("<", units)):
            count = grain.min(units - taken.value)
            yield front.where(end.is_("==", FRONT), units - back - count), count
            # Looking whether anything is left costs less than drawing in vain.
            now = read_counter(code, drawn)
            taken.set((now & _LOWER_HALF) + (now >> _HALF))


def _do_all(code: Code, row: Int, steps: Int, scratch: Int) -> None:
    """Do all units of the steps from a program's `row` on."""
    with code.each(0, steps) as step:
        each = row + step * (ROW_WORDS * _WORD)
        set_entry(code, scratch, NOTE, 0)
        _call_kernel(code, each, 0, entry(code, each, UNITS), scratch)


def _call_kernel(code: Code, row: Int, begin: Int | int, end: Int, scratch: Int) -> None:
    """Do the units `begin` to `end` of a step."""
    call(code, entry(code, row, KERNEL), row + FIELDS * _WORD, begin, end, scratch)
