"""Detectors that are trained here."""
