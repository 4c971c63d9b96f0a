"""One experiment a file, get(), and what reads, checks and splits raw data (raw, read, download, common, images).

Here belongs all that happens to data before a batch is made. Which logits compete does not.
"""
