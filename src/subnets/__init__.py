"""The part of a gated network that is run."""
