"""Synthetic slides of any size whose truth is known."""

from axonflow.phantom.phantom import Phantom, write

__all__ = ["Phantom", "write"]
