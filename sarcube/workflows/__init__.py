"""What turns inputs into products: one package each, found by name."""
