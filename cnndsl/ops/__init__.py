"""The operators: one file each, and what they share. They know types and arrays, no graph."""
