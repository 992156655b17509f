"""Stores that others wrote are opened with what they have."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.source import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import geopandas as gpd
    from numpy.typing import NDArray


def outlined(source: Source, name: str) -> dict[str, Any]:
    """Id of each cell -> its outline."""
    ids, pieces, _ = source.outlines(name)
    assert len(ids) == len(set(ids))
    return dict(zip(ids, np.concatenate(list(pieces)), strict=True))


def matches_truth(source: Source, name: str, cells: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    outlines = outlined(source, name)
    assert len(outlines) == len(cells)
    expected = cells.geometry.to_numpy()
    overlap = shapely.area(shapely.intersection(list(outlines.values()), expected))
    matched: NDArray[np.bool_] = overlap > 0.999 * shapely.area(expected)
    return matched


def test_a_store_of_sopa_opens_with_what_it_has(sopa_store: Path, cells: gpd.GeoDataFrame) -> None:
    source = open_source(sopa_store)
    assert (source.kind, source.sample_id) == ("zarr", "slide")
    assert source.typed == "cellpose_boundaries"
    assert source.um_per_px == pytest.approx(0.2737, rel=1e-6)
    assert matches_truth(source, "cellpose_boundaries", cells).all()
    assert list(source.obs().index) == source.outlines("cellpose_boundaries")[0]
    image = source.image()
    assert image is not None
    assert image.box == (0, 0, 600, 600)
    bins = source.bins(8)
    assert bins is not None
    assert bins.total().sum() > 0
    assert source.gene(source.genes()[0]).sum() > 0
    assert source.regions() is None


@pytest.mark.parametrize("cells_only", [True, False])
def test_cells_of_space_ranger_4_open_through_spatialdata_io(
    segmented_store: Callable[..., Path], cells: gpd.GeoDataFrame, cells_only: bool
) -> None:
    store = segmented_store(load_segmentations_only=cells_only)
    source = open_source(store)
    assert source.typed == "slide_cell_segmentations"
    assert matches_truth(source, "slide_cell_segmentations", cells).all()
    assert source.obs().index[0] == "cellid_000000001-1"
    assert (source.bins(2) is None) == cells_only
    # Nothing in such a store says how large a pixel is, but the bins.
    assert (source.um_per_px is None) == cells_only


def test_a_picture_that_was_cropped_lies_where_it_was_cut(sopa_store: Path, tmp_path: Path) -> None:
    import spatialdata

    whole = spatialdata.read_zarr(sopa_store)
    part = spatialdata.bounding_box_query(
        whole, axes=("x", "y"), min_coordinate=[120, 80], max_coordinate=[420, 500],
        target_coordinate_system="slide",
    )  # fmt: skip
    part.write(tmp_path / "part.zarr")
    source, full = open_source(tmp_path / "part.zarr"), open_source(sopa_store)
    image, whole_image = source.image(), full.image()
    assert image is not None
    assert whole_image is not None
    x, y, *_ = image.box
    assert (x, y) == (120, 80)
    np.testing.assert_array_equal(
        image.levels[0][10:40, 20:60], whole_image.levels[0][90:120, 140:180]
    )
    here, before = (outlined(one, "cellpose_boundaries") for one in (source, full))
    assert 0 < len(here) < len(before)
    assert all(outline.equals(before[name]) for name, outline in here.items())


def test_outlines_in_another_frame_come_out_in_full_resolution_px(
    sopa_store: Path, cells: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    import spatialdata
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity, Scale, set_transformation

    store = tmp_path / "um.zarr"
    shutil.copytree(sopa_store, store)
    sdata = spatialdata.read_zarr(store)
    in_um = cells[["geometry"]].reset_index(drop=True)
    in_um.geometry = in_um.geometry.affine_transform([0.2737, 0, 0, 0.2737, 0, 0])
    sdata["proseg_boundaries"] = ShapesModel.parse(
        in_um, transformations={keys.MICRONS: Identity()}
    )
    set_transformation(
        sdata["slide_full_image"], Scale([0.2737, 0.2737], ("x", "y")), keys.MICRONS,
        write_to_sdata=sdata,
    )  # fmt: skip
    sdata.write_element("proseg_boundaries")
    source = open_source(store)
    assert matches_truth(source, "proseg_boundaries", cells).all()


# What cannot be opened


def _broken_json(store: Path) -> None:
    (store / "images" / "slide_full_image" / "zarr.json").write_text("{")


def _pickled(store: Path) -> None:
    file = store / "tables" / "table" / "obs" / "zarr.json"
    (file.parent / "new").mkdir()
    (file.parent / "new" / "zarr.json").write_text(
        '{"zarr_format": 3, "node_type": "array", "codecs": [{"name": "numcodecs.pickle"}]}'
    )


def _no_parquet(store: Path) -> None:
    (store / "shapes" / "cellpose_boundaries" / "shapes.parquet").write_text("no")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_broken_json, "damaged"), (_pickled, "pickle"), (_no_parquet, "cannot be read")],
)
def test_a_damaged_store_is_refused_in_one_sentence(
    sopa_store: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    store = tmp_path / "damaged.zarr"
    shutil.copytree(sopa_store, store)
    damage(store)
    with pytest.raises(BadInputError, match=said) as refusal:
        outlined(open_source(store), "cellpose_boundaries")
    assert "\n" not in str(refusal.value)
    assert str(store) in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["#1f77b4", "red", "#00FF0080", "none of them"], ("#1f77b4", "#FF0000", "#00FF00", "")),
        (np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), ("#FF0000", "#0000FF")),
    ],
)
def test_colours_are_read_as_scanpy_writes_them(
    sopa_store: Path, tmp_path: Path, given: Any, read: tuple[str, ...]
) -> None:
    import zarr
    from anndata.io import write_elem

    store = tmp_path / "colored.zarr"
    shutil.copytree(sopa_store, store)
    table = zarr.open_group(store / "tables" / "table", mode="r+", use_consolidated=False)
    write_elem(table, "uns/leiden_colors", np.asarray(given))
    assert open_source(store).uns_colors("leiden") == read
