"""Settings for all tests."""

from hypothesis import settings

# How long a call takes is measured in benchmarks/, not here, where it would depend on the machine.
settings.register_profile("book", deadline=None)
settings.load_profile("book")
