"""Event detection for jointtask: from when to when an event lasts in a recording, and which samples belong to it."""
