"""Doors to other formats: weights, and exchange formats."""
