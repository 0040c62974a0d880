"""The CPU backend: a network as a table of kernel calls that one compiled executor walks."""
