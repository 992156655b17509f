"""Visium HD samples as others write them: sopa, and spatialdata-io for Space Ranger 4."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path  # noqa: TC003  (pytest reads it)
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from stores import NOTHING, make_store, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import geopandas as gpd

    from napari_vhd.io.store import RunStore

    WriteStore = Callable[..., Path]


@pytest.fixture(scope="session")
def cells(simulated: Path) -> gpd.GeoDataFrame:
    """True outlines of the cells of the simulated sample, full-resolution px."""
    return truth(simulated)


@pytest.fixture(scope="session")
def sopa_store(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated sample as sopa leaves it; treat it as read-only."""
    return write_sopa_store(simulated, tmp_path_factory.mktemp("sopa"))


@pytest.fixture
def segmented_store(simulated: Path, tmp_path: Path) -> WriteStore:
    """Writes what spatialdata-io makes of a Space Ranger 4 folder."""

    def write(**given: Any) -> Path:
        return write_segmented_store(simulated, tmp_path, **given)

    return write


def truth(simulated: Path, kind: str = "cells") -> gpd.GeoDataFrame:
    """True outlines of a simulated sample, full-resolution px."""
    import geopandas as gpd

    return gpd.read_parquet(simulated / "truth" / f"{kind}.parquet")


def write_sopa_store(simulated: Path, folder: Path) -> Path:
    """What sopa leaves behind: read, segmented (the truth stands in), aggregated, written."""
    import sopa
    import sopa.io
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import get_transformation

    store = folder / "sopa.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sdata = sopa.io.visium_hd(
            simulated / "outs",
            dataset_id="slide",
            fullres_image_file=simulated / "tissue_image.tif",
            load_segmentations_only=False,
        )
        cells = truth(simulated)[["geometry"]].reset_index(drop=True)
        frames = get_transformation(sdata["slide_full_image"], get_all=True)
        sdata["cellpose_boundaries"] = ShapesModel.parse(cells, transformations=dict(frames))
        sopa.aggregate(
            sdata, shapes_key="cellpose_boundaries", aggregate_channels=False, min_transcripts=0
        )
        sdata.write(store)
    return store


def add_segmented_outputs(simulated: Path, outs: Path) -> None:
    """Add to a copy of ``outs`` what Space Ranger 4 writes about its cells."""
    import h5py
    import scipy.sparse as sp
    from shapely.geometry import mapping

    folder = outs / "segmented_outputs"
    (folder / "spatial").mkdir(parents=True)
    small = outs / "binned_outputs" / "square_002um"
    shutil.copyfile(
        small / "spatial" / "scalefactors_json.json", folder / "spatial" / "scalefactors_json.json"
    )
    cells = truth(simulated)
    features = [
        {
            "type": "Feature",
            "geometry": mapping(outline),
            "properties": {"cell_id": number, "classification": {"name": "cell"}},
        }
        for number, outline in enumerate(cells.geometry, start=1)
    ]
    (folder / "cell_segmentations.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )
    with h5py.File(small / "filtered_feature_bc_matrix.h5") as file:
        genes = {key: file[f"matrix/features/{key}"][:] for key in file["matrix/features"]}
        attributes = dict(file.attrs)
    n_genes = len(genes["name"])
    counts = sp.random(
        n_genes, len(cells), 0.05, format="csc", dtype=np.int32, random_state=0,
        data_rvs=lambda n: np.random.default_rng(0).integers(1, 5, n),
    )  # fmt: skip
    with h5py.File(folder / "filtered_feature_cell_matrix.h5", "w") as file:
        file.attrs.update(attributes)
        matrix = file.create_group("matrix")
        names = [f"cellid_{number:09d}-1".encode() for number in range(1, len(cells) + 1)]
        matrix["barcodes"] = np.array(names)
        for name in ("data", "indices", "indptr"):
            matrix[name] = getattr(counts, name)
        matrix["shape"] = np.array(counts.shape, dtype=np.int32)
        group = matrix.create_group("features")
        for key, values in genes.items():
            group[key] = values


def write_segmented_store(simulated: Path, folder: Path, **given: Any) -> Path:
    """What spatialdata-io makes of a Space Ranger 4 folder."""
    import spatialdata_io

    outs = folder / "outs"
    shutil.copytree(simulated / "outs", outs)
    add_segmented_outputs(simulated, outs)
    store = folder / "segmented.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sdata = spatialdata_io.visium_hd(
            outs,
            dataset_id="slide",
            fullres_image_file=simulated / "tissue_image.tif",
            **given,
        )
        sdata.write(store)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """A run folder with the result of one stage."""
    made = make_store(tmp_path)
    made.publish("make", whole(), NOTHING)
    yield made
    made.close()
