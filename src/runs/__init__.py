"""One run and many: options, the sequence of tasks, checkpoints; plans, here and on Slurm."""
