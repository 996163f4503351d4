"""Plain models: what a request is documented to give, computed the long way and as plainly as can be."""
