"""Darknet's networks: a `.cfg` as a graph, a `.weights` as its parameters."""
