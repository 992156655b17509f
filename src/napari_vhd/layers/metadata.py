"""What napari-spatialdata looks for in a layer's metadata, so that its widgets work on ours.

A layer of Shapes tells it the id of each shape (``indices``). A Labels layer of ours tells none:
its pixels are codes of categories, not cells; what is chosen for it in napari-spatialdata's View
widget becomes the Scene's colouring instead.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_vhd import keys

from .categories import NOT_ASSIGNED_COLOR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Layer

    from napari_vhd.session import Session

    from .scene import Scene

MOST_CELLS = 10_000
"""Of more, the sample is read as SpatialData only when napari-spatialdata's widgets ask for it."""
_WIDGETS = "napari-spatialdata"
_NO_LABEL = "not assigned"
_INDICES = {"indices": [], "_n_indices": 0}


class Metadata:
    """Metadata of a sample's layers.

    Parameters
    ----------
    scene
        Whose layers they are.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = ref(scene)
        self._session = scene.session
        self._known: dict[str, dict[str, Any]] = {}
        self._loaded = False

    @property
    def image_name(self) -> str:
        """Name of the H&E element."""
        return keys.full_image(self._session.sample_id)

    def of(self, name: str) -> dict[str, Any]:
        """Give the metadata of a layer of an element, as far as it is known now."""
        system = self._session.sample_id
        base = {"name": name, "_current_cs": system, "_active_in_cs": {system}}
        return base | self._known.get(name, {}) | _INDICES

    def begin(self) -> None:
        """Complete the metadata of all layers, if the sample is small enough to do so unasked."""
        scene = self._scene()
        if scene is not None:
            cells = sum(one.outlines.n_rows for one in scene.cells.values())
            if cells <= MOST_CELLS:
                self._load(scene)

    def on_active(self, event: Any) -> None:
        """Complete them when one of our layers is chosen beside a widget of napari-spatialdata."""
        scene = self._scene()
        if scene is None or self._loaded or event.value not in scene.layers:
            return
        docks = getattr(getattr(scene.viewer, "window", None), "dock_widgets", {})
        if any(_WIDGETS in name for name in docks):
            self._load(scene, event.value)

    def _load(self, scene: Scene, look_again: Layer | None = None) -> None:
        names = [*scene.prepared.segmentations, self.image_name]

        def fill(found: dict[str, dict[str, Any]]) -> None:
            self._known, self._loaded = found, True
            for layer in scene.layers:
                layer.metadata.update(found.get(layer.metadata.get("name", ""), {}))
            selection = scene.viewer.layers.selection
            if look_again is not None and selection.active is look_again:
                selection.active = None
                selection.active = look_again

        scene.tasks.ask("metadata", partial(_read, self._session, names), fill)


def _read(session: Session, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read the sample as SpatialData, and the tables of elements; slow."""
    stored = session.source.sdata()
    if stored is None:
        return {}
    sdata = _unbacked(stored)
    return {name: _about(sdata, name) for name in names if name in sdata}


def _unbacked(stored: Any) -> Any:
    """Give the sample without its path: what is tried out there is never written to the store."""
    from spatialdata import SpatialData

    return SpatialData(
        images=dict(stored.images),
        shapes=dict(stored.shapes),
        tables={name: _without_gaps(table) for name, table in stored.tables.items()},
    )


def _without_gaps(table: Any) -> Any:
    """Name what has no label: with gaps, napari-spatialdata draws every cell in white."""
    import anndata
    import numpy as np
    import pandas as pd

    obs, uns = table.obs.copy(), dict(table.uns)
    for name, values in table.obs.items():
        if isinstance(values.dtype, pd.CategoricalDtype) and values.isna().any():
            obs[name] = values.cat.add_categories([_NO_LABEL]).fillna(_NO_LABEL)
            if (colors := uns.get(f"{name}_colors")) is not None:
                uns[f"{name}_colors"] = np.array([*map(str, colors), NOT_ASSIGNED_COLOR])
    parts = {"var": table.var, "obsm": dict(table.obsm), "layers": dict(table.layers)}
    return anndata.AnnData(table.X, obs=obs, uns=uns, **parts)


def _about(sdata: Any, name: str) -> dict[str, Any]:
    from spatialdata import get_element_annotators, join_spatialelement_table

    found: dict[str, Any] = {"sdata": sdata}
    if name not in sdata.shapes:
        return found
    found |= {"adata": None, "table_names": None, "region_key": None, "instance_key": None}
    found["_columns_df"] = None  # with a data frame its View widget raises
    tables = sorted(get_element_annotators(sdata, name), key=lambda one: one != keys.CELLS)
    if tables:
        _, table = join_spatialelement_table(
            sdata=sdata, spatial_element_names=name, table_name=tables[0], how="inner"
        )
        attributes = sdata[tables[0]].uns["spatialdata_attrs"]
        found |= {
            "adata": table,
            "region_key": attributes["region_key"],
            "instance_key": attributes["instance_key"],
            "table_names": tables,
        }
    return found
