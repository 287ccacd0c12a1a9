"""Face parsers that are trained here: the class of each pixel of a face."""
