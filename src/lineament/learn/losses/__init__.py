"""Losses of recognition, one file each: modules that take embeddings and the people they are of."""
