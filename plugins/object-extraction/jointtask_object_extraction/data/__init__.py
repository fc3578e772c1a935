"""Images and masks: decoded, paired, read from folders and published layouts, or generated."""
