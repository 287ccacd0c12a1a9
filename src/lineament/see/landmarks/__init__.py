"""Dense points of faces: methods that each give the field `landmarks`."""
