"""One network a file: class Net, with a head for every task."""
