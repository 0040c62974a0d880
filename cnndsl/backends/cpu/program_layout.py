"""How a program and a run of it lie in memory: what the executor and its callers agree on."""

# A program is a table of int64, one row a step: address of the kernel, number of work units, units
# handed out at a time, and then the kernel's own fields. Rows fill whole cache lines.
KERNEL = 0
UNITS = 1
GRAIN = 2
FIELDS = 3
ROW_WORDS = 64
MAX_FIELDS = ROW_WORDS - FIELDS

# A participant's record is a row of int64 as well: addresses of the program and of the thread's
# scratch, number of steps; addresses, or 0, of the counter that it raises before the first step and
# of the one that it watches after the last; where an array's object keeps the address of its
# elements, in words; numbers of fields that hold addresses in the caller's inputs and in the
# outputs; then for each of these, first those of the inputs, where the field lies, which array it
# is of, and its offset.
PROGRAM = 0
SCRATCH = 1
STEPS = 2
RAISED = 3
WATCHED = 4
ELEMENTS = 5
INPUT_FIELDS = 6
OUTPUT_FIELDS = 7
PLACES = 8
PLACE_WORDS = 3

# The state of one run on several threads: two counters a step, each on a cache line of its own.
CACHE_LINE = 64
COUNTER_BYTES = 2 * CACHE_LINE
