"""Environments that live outside JAX, in worker processes. NumPy only: a worker never imports
JAX."""
