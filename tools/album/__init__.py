"""The rooms of `make_album`: studio, composition, scenes, darkroom."""
