"""How it is asked for: one file a dock (Qt, no science)."""
