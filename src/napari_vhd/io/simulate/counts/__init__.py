"""What the cells express, and where their transcripts are counted."""
