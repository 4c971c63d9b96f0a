"""What a batch costs: the training step and what it is made of. Knows no method."""
