"""What methods are made of and need not know: batches, scenarios, the epochs of a task, evaluation, buffers.

Nothing here knows a method, a file or a command line.
"""
