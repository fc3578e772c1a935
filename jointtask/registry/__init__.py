"""Plugins: found, refused where they break a rule, attributed where they fail, and their components looked up."""
