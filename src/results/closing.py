"""The former name of summary.py."""
from results.summary import paragraph  # noqa: F401
