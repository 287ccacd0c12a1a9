"""Networks that turn an aligned face into an embedding."""
