"""What is computed: one file a method, SpatialData in, elements out."""
