"""Drawings of networks as SVG, made from their tables, without torch."""
