"""Inputs that went wrong, made from inputs that are right: what :mod:`benchmarks.fuzz` and ``tests/fuzz`` try."""
