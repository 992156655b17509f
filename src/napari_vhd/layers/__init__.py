"""How a sample is shown in napari: layers that follow its Session. No Qt here."""

from .scene import Coloring, OutlineStyle, Scene, scene_of

__all__ = ["Coloring", "OutlineStyle", "Scene", "scene_of"]
