"""Weights: published sets, other libraries' names for them, and the readers of their files."""
