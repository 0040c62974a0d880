"""A layer table in, a fast network out."""
