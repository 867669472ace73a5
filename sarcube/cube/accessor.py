"""`cube.sar`: what one does with backscatter, found by pressing tab."""
