"""Scores of predicted maps and boxes."""
