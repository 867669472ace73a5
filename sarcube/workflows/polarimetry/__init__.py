"""Dual-pol covariance, entropy, anisotropy and alpha of Sentinel-1 bursts."""
