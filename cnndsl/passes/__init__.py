"""Rewrites of a graph, one file each. A pass returns a new graph of the same meaning."""
