"""One continual-learning method a file: class Appr."""
