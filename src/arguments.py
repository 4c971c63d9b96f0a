"""The args of the run, for files that begin with `from arguments import get_args`."""
from original import get_args

__all__ = ['get_args']
