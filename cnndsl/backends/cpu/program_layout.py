"""How a program and a run of it lie in memory: what the executor and its callers agree on."""

# A program is a table of int64, one row a step: address of the kernel, number of work units, units
# handed out at a time, steps from here on that are too small to share and that one participant does
# in one go (0 where a step is shared), and then the kernel's own fields. Rows fill whole cache
# lines.
KERNEL = 0
UNITS = 1
GRAIN = 2
ALONE = 3
FIELDS = 4
ROW_WORDS = 64
MAX_FIELDS = ROW_WORDS - FIELDS

# A thread's scratch memory begins with a note: an int64 that is 0 when the thread begins a step. A
# kernel gets a step's units a few at a time, and may note there what it has prepared for the next
# ones. The rest of the note's cache line is free.
NOTE = 0
LEAST_SCRATCH = 16  # floats

# A participant's record is a row of int64 as well: addresses of the program and of the thread's
# scratch, number of steps; the address of the run's state, 0 where nobody else takes part; from
# which end of the units it draws, as what it adds to a step's counter for each. A caller's goes on:
# where a tuple's items begin, in bytes, and where an array's object keeps the address of its
# elements, in words; the address of the helpers' desks and how many there are; the address of its
# invitations and how many there are; numbers of fields that hold addresses in the caller's inputs
# and in the outputs; then for each of these, first those of the inputs, where the field lies, which
# array it is of, and its offset.
PROGRAM = 0
SCRATCH = 1
STEPS = 2
STATE = 3
END = 4
ITEMS = 5
ELEMENTS = 6
DESKS = 7
DESK_COUNT = 8
INVITATIONS = 9
INVITED = 10
INPUT_FIELDS = 11
OUTPUT_FIELDS = 12
PLACES = 13
PLACE_WORDS = 3

FRONT, BACK = 1, 1 << 32
"""The two ends of a step's units."""

# An invitation: the address of a helper's record, and of the desk where it was left, or 0.
RECORD = 0
DESK = 1
INVITATION_WORDS = 2

# The state of one run on several threads: for each step, on a cache line of its own, a counter of
# the units drawn, those from the front in its lower half and those from the back in its upper one,
# and a counter of the units done.
CACHE_LINE = 64
DRAWN = 0
DONE = 1

# A helper's desk, on a cache line of its own: the record that a caller has left there, 1 more while
# the helper is at work on it, or 0; and whether the helper is watching the desk.
OFFERED = 0
AWAKE = 1
