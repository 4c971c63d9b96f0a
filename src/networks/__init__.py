"""One network a file, class Net with a head for every task, and what networks are declared of (layers, parts).

Here belongs how a network computes and what its declaration says of it: gates, columns, modules, parts to
export. How it is trained does not.
"""
