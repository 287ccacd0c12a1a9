"""Landmarkers that are trained here: 68 points of an aligned face."""
