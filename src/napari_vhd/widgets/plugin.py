"""What napari asks of a plugin: reading, writing and the sample. Cheap to import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari.types import LayerData

    Read = Callable[..., list[LayerData]]

DEMO_URI = "napari-vhd://demo"
# What a reader gives that shows its sample by itself.
_SHOWN_ALREADY: list[Any] = [(None,)]


def get_reader(path: str | Sequence[str]) -> Read | None:
    """Claim what is ours: run folders, Space Ranger folders, SpatialData of Visium HD.

    Looks at names of files only, and never raises.

    Returns
    -------
    callable or None
        None where it is not ours.
    """
    first = path if isinstance(path, str | Path) else next(iter(path), "")
    if str(first).startswith(DEMO_URI):
        return _read_demo
    return _read if is_ours(Path(first)) else None


def is_ours(path: Path) -> bool:
    """Tell from names of files whether a path is a Visium HD sample."""
    from napari_vhd import keys
    from napari_vhd.io.source import kind_of
    from napari_vhd.io.source_zarr import sample_id_of

    path = path.parent if path.name == keys.RUN_FILE else path
    kind = kind_of(path)
    if kind != "zarr":
        return kind is not None
    return sample_id_of(_names(path / "images"), _names(path / "shapes")) is not None


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def _read(path: str | Sequence[str], stack: bool = False) -> list[LayerData]:
    """Open a sample in the viewer that is open; without one, give its picture."""
    from napari import current_viewer

    from napari_vhd import keys

    paths = [path] if isinstance(path, str | Path) else list(path)
    first = Path(paths[0])
    first = first.parent if first.name == keys.RUN_FILE else first
    viewer = current_viewer()
    if viewer is None:
        return picture_of(first)
    from .docks import show_docks
    from .parts.loading import when_loaded

    when_loaded(viewer, "opening:open_path", lambda open_path: open_path(viewer, first))
    show_docks(viewer)
    return _SHOWN_ALREADY


def _read_demo(path: str | Sequence[str], stack: bool = False) -> list[LayerData]:
    """Make the demo sample, the first time, and open it."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        from napari_vhd.runner.known_run import make_demo

        from .demo import demo_folder

        return picture_of(make_demo(demo_folder()))
    from .docks import show_docks
    from .parts.loading import when_loaded

    when_loaded(viewer, "demo:open_demo", lambda open_demo: open_demo(viewer))
    show_docks(viewer)
    return _SHOWN_ALREADY


def picture_of(path: Path) -> list[LayerData]:
    """Give a sample's H&E as plain layer data, in µm where its scale is known.

    Raises
    ------
    BadInputError
        Where the sample cannot be read, or holds no picture.
    """
    from napari_vhd.exceptions import BadInputError
    from napari_vhd.io.source import open_source
    from napari_vhd.layers.frame import Frame

    source = open_source(path)
    frame = Frame.of(source.um_per_px)
    pyramid = source.image() or source.slide_image()
    if pyramid is not None:
        placed = frame.picture(*pyramid.origin, pyramid.scales[0])
        data: Any = list(pyramid.levels)
        return [(data, {"name": "H&E", "rgb": True, "multiscale": True, **placed}, "image")]
    overview = source.hires()
    if overview is None:
        raise BadInputError(f"{path}: holds no picture that napari could show.")
    pixels, scale, origin = overview
    return [(pixels, {"name": "H&E", "rgb": True, **frame.picture(*origin, scale)}, "image")]


def write_shapes(path: str, data: Any, meta: Mapping[str, Any]) -> list[str]:
    """Save a Shapes layer as GeoJSON, as QuPath reads it.

    Vertices are written as the layer has them; those of a Visium HD sample's layers are in
    full-resolution px. Lines and paths have no area and are left out.

    Raises
    ------
    BadInputError
        Where the layer holds no areas.
    """
    from napari_vhd.export.shapes import write_areas

    kinds = meta.get("shape_type", "polygon")
    kinds = [kinds] * len(data) if isinstance(kinds, str) else list(kinds)
    features = meta.get("features")
    rows = [{}] * len(data) if features is None else features.to_dict("records")
    write_areas(Path(path), str(meta.get("name", "")), data, kinds, rows)
    return [path]
