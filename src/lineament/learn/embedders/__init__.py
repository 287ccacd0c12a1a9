"""Embedders of our own: made smaller from a freely licensed one, on faces of nobody."""
