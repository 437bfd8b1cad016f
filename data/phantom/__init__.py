"""Parametric chest films with exact masks and measurements: the embedded data set (docs/phantom.md)."""

from data.phantom.film import Phantom, draw_phantom

__all__ = ["Phantom", "draw_phantom"]
