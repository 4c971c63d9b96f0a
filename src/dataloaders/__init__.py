"""One experiment a file: get() returns its tasks as tensors."""
