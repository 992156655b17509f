"""Where to look: what deserves a second glance."""
