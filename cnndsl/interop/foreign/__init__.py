"""Weights of other frameworks: read, paired with a network's rows, and converted."""
