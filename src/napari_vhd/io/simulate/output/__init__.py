"""The files: Space Ranger's, the picture, the truth."""
