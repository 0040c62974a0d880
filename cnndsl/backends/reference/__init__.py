"""The float64 NumPy backend, the oracle of every other."""
