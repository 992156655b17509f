"""What a person changed."""
