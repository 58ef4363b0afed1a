"""The fixtures of the gates' tests."""

from sample_book import book

__all__ = ["book"]
