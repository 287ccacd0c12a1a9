"""Training of embeddings: the faces, the loop around an objective, the comparison."""
