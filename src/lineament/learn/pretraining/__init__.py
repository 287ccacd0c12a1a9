"""Representations of faces learnt without labels, and what any representation is worth."""
