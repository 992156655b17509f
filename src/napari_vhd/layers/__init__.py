"""How a sample is shown in napari: layers that follow its Session. No Qt here."""
