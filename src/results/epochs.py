"""epochs.csv: the numbers of every epoch of a run."""
COLUMNS = ('task', 'name', 'epoch', 'lr', 'train_loss', 'train_accuracy', 'valid_loss', 'valid_accuracy', 'seconds')
