"""One continual-learning method a file, class Appr, and what several methods share (base, anchored, replay, ...).

Here belongs what a paper's algorithm says. What several methods are made of without being one goes to learning;
what makes the same numbers faster, to fast.
"""
