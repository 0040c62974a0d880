"""Settings for the whole suite."""

from hypothesis import settings

# No deadline: machines are shared, and how long an example takes says nothing about the code.
# Derandomized, so that a red run is red again; `--hypothesis-profile=search` looks further.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("suite")
