"""The way in: files of others to SpatialData, weights, references, the run folder."""
