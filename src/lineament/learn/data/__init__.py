"""What recognition is trained on: readers of faces with names, samplers, augmentations, a cache."""
