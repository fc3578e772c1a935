"""Digit reading for jointtask: by how much a handwritten digit is rotated, and which digit it is."""
