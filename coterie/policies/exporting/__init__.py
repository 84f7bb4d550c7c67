"""Trained policies as programs for other languages: ONNX graphs and StableHLO."""
