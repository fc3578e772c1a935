"""The command `score`: scoring masks that any program made."""
