"""How a program lies in memory: what the executor and the code that builds its table agree on."""

# A program is a table of int64, one row a step: address of the kernel, number of work units, units
# handed out at a time, and then the kernel's own fields. Rows fill whole cache lines.
KERNEL = 0
UNITS = 1
GRAIN = 2
FIELDS = 3
ROW_WORDS = 64
MAX_FIELDS = ROW_WORDS - FIELDS

# The state of one run on several threads: two counters a step, each on a cache line of its own.
CACHE_LINE = 64
COUNTER_BYTES = 2 * CACHE_LINE
