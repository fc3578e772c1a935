"""The command `jointtask serve`: a page to drop photographs on, and an HTTP interface behind it."""
