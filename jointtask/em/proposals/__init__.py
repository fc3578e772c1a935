"""The built-in proposal terms."""
