"""What napari-spatialdata looks for in a layer's metadata, so that its widgets work on ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_vhd import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.layers import Layer

    from napari_vhd.session import Session

# A table with more counts than this on disk is not read for napari-spatialdata's sake.
LARGEST_TABLE_BYTES = 400_000_000


class Metadata:
    """Metadata of a sample's layers.

    Parameters
    ----------
    session
        Of the sample.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sdata: Any = None

    @property
    def image_name(self) -> str:
        """Name of the H&E element."""
        return keys.full_image(self._session.sample_id)

    def of(self, boundaries: str) -> dict[str, Any]:
        """Give the metadata of a layer of a segmentation, as far as it is known at once."""
        return {"name": boundaries, "_current_cs": self._session.sample_id}

    def load(self) -> None:
        """Open the sample as SpatialData, if its table is not too large; slow."""
        source = self._session.source
        path = source.table_path(keys.CELLS)
        if path is not None and _bytes_of(path / "X") <= LARGEST_TABLE_BYTES:
            self._sdata = source.sdata()

    def fill(self, layers: Iterable[Layer]) -> None:
        """Complete the metadata of layers that name an element of the sample."""
        sdata = self._sdata
        if sdata is None:
            return
        for layer in layers:
            name = layer.metadata.get("name")
            if name in sdata:
                layer.metadata.update(self._about(layer, name))

    def _about(self, layer: Layer, name: str) -> dict[str, Any]:
        from spatialdata import get_element_annotators, join_spatialelement_table

        sdata, system = self._sdata, self._session.sample_id
        found: dict[str, Any] = {
            "sdata": sdata,
            "_active_in_cs": {system},
            "_current_cs": system,
        }
        tables = sorted(get_element_annotators(sdata, name), key=lambda one: one != keys.CELLS)
        if name not in sdata.shapes:
            return found
        found |= {"table_names": None, "region_key": None, "instance_key": None, "adata": None}
        if tables:
            _, table = join_spatialelement_table(
                sdata=sdata,
                spatial_element_names=name,
                table_name=tables[0],
                how="left",
                match_rows="left",
            )
            attributes = sdata[tables[0]].uns["spatialdata_attrs"]
            found |= {
                "adata": table,
                "region_key": attributes["region_key"],
                "instance_key": attributes["instance_key"],
                "table_names": tables,
            }
        return found


def _bytes_of(folder: Any) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
