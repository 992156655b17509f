"""Real parts: a picture and its nuclei, a layout of cell types, names of types."""
