"""Measurements: of the machine, of ourselves, and side by side with other runtimes."""
