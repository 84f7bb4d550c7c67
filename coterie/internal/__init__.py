"""Files, memory, words that spell values, JAX's settings."""
