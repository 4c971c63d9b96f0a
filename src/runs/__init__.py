"""One run and many: settings, the sequence of tasks and its listeners, checkpoints; plans, here and on Slurm.

Here belongs what is hard about a run and no method's business. What is said of results goes to results.
"""
