"""A run, from its run file to its directory: built, checked, trained, saved, scored."""
