"""Way out: files for other programs."""
