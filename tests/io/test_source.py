"""What is open is read as it is: run folder, Space Ranger folder, stores of others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.source import Source, open_source
from napari_vhd.io.store import RunStore
from napari_vhd.io.view_file import read_view, write_view


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    stats = {str(path.relative_to(folder)): path.stat() for path in found}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


@pytest.fixture
def run(finished_run: Path) -> Source:
    return open_source(finished_run)


# Run folders


def test_a_run_gives_the_tables_and_outlines_of_its_store(finished_run: Path, run: Source) -> None:
    sdata = RunStore.open(finished_run).sdata()
    assert (run.kind, run.sample_id, run.typed) == ("run", "demo", keys.PROSEG)
    assert run.um_per_px == pytest.approx(0.2737, rel=1e-9)
    pd.testing.assert_frame_equal(run.obs(), sdata[keys.CELLS].obs)
    np.testing.assert_array_equal(run.obsm("spatial"), sdata[keys.CELLS].obsm["spatial"])
    colors = sdata[keys.CELLS].uns[f"{keys.TYPE_DOMAIN}_colors"]
    assert run.uns_colors(keys.TYPE_DOMAIN) == tuple(colors)
    assert run.segmentation_names() == (keys.PROSEG, keys.STARDIST)
    ids, pieces, columns = run.outlines(keys.STARDIST)
    assert ids == list(sdata[keys.STARDIST].index)
    stored = sdata[keys.STARDIST].geometry
    assert all(a.wkb == b.wkb for a, b in zip(next(pieces), stored, strict=True))
    assert list(columns) == [keys.PROBABILITY, keys.AREA_UM2]


def test_genes_of_cells_and_bins_are_those_of_the_store(finished_run: Path, run: Source) -> None:
    sdata = RunStore.open(finished_run).sdata()
    table = sdata[keys.CELLS]
    assert run.genes() == tuple(table.var_names)
    for gene in (table.var_names[0], table.var_names[-1]):
        expected = np.asarray(table[:, gene].X.todense()).ravel()
        np.testing.assert_array_equal(run.gene(gene), expected)
    assert not run.gene("no such gene").any()
    for size in keys.BIN_SIZES_UM:
        bins, stored = run.bins(size), sdata[keys.bin_table(size)]
        assert bins is not None
        assert bins.total().sum() == stored.X.sum()
        gene = stored.var_names[np.asarray(stored.X.sum(axis=0)).argmax()]
        assert bins.gene(gene).sum() == stored[:, gene].X.sum()


def test_a_bin_lies_where_its_centre_is(finished_run: Path, run: Source) -> None:
    stored = RunStore.open(finished_run).sdata()[keys.bin_table(2)]
    bins = run.bins(2)
    assert bins is not None
    np.testing.assert_allclose(bins.centres, stored.obsm["spatial"], atol=1e-6)
    assert (bins.n_rows, bins.n_cols) == (bins.array_row.max() + 1, bins.array_col.max() + 1)
    assert bins.size_px == pytest.approx(2 / 0.2737)


def test_the_picture_is_that_of_the_store_level_by_level(finished_run: Path, run: Source) -> None:
    sdata = RunStore.open(finished_run).sdata()
    image = run.image()
    assert image is not None
    assert image.box == (0, 0, 600, 600)
    for number, level in enumerate(image.levels):
        stored = sdata["demo_full_image"][f"scale{number}"]["image"].to_numpy().transpose(1, 2, 0)
        np.testing.assert_array_equal(np.asarray(level), stored)
        np.testing.assert_array_equal(level[17:120, 33:250], stored[17:120, 33:250])
        np.testing.assert_array_equal(level[5, 10:90:3, 1], stored[5, 10:90:3, 1])
        np.testing.assert_array_equal(level[..., 0], stored[..., 0])
    assert run.slide_image() is None  # the run holds the whole slide


def test_counts_are_not_read_to_open_a_run(reviewed_run: Path) -> None:
    chunks = list((reviewed_run / ".versions").glob("*/sample.zarr/tables/*/X/*/c"))
    assert chunks
    for chunk in chunks:
        shutil.rmtree(chunk)
    source = open_source(reviewed_run)
    assert len(source.obs()) == len(source.outlines(keys.PROSEG)[0])
    assert source.bins(2) is not None
    assert source.image() is not None


def test_the_version_that_is_read_stays_on_disk_until_closed(reviewed_run: Path) -> None:
    source = open_source(reviewed_run)
    store = RunStore.open(reviewed_run)
    version = store.version()
    newer = store.version_dir(version + 1)
    newer.mkdir()
    shutil.copyfile(store.version_dir(version) / "state.json", newer / "state.json")
    assert version not in store.prune(1)
    assert len(source.obs()) > 0
    source.close()
    assert version in store.prune(1)


def test_boundaries_know_the_version_that_made_them(run: Source, finished_run: Path) -> None:
    done = RunStore.open(finished_run).done()
    assert run.epoch(keys.STARDIST) == done["stardist"].version
    assert run.epoch(keys.PROSEG) == done["proseg"].version


def test_the_store_of_a_run_opens_its_run(finished_run: Path) -> None:
    assert open_source(finished_run / keys.STORE).path == finished_run


def test_without_its_slide_a_run_opens_and_says_so(reviewed_run: Path) -> None:
    file = reviewed_run / keys.RUN_FILE
    text = file.read_text()
    file.write_text(text.replace('/outs"', '/gone"'))
    source = open_source(reviewed_run)
    assert len(source.notices) == 1
    assert "gone" in source.notices[0]
    bins = source.bins(8)
    assert bins is not None
    assert f"{keys.FLASHDECONV_DOMINANT}" in bins.columns


# A run of a region


@pytest.fixture(scope="module")
def region_run(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a part of the slide, read and cropped only."""
    from napari_vhd.config import RunConfig
    from napari_vhd.runner.run import run_config

    data = RunConfig.from_yaml(simulated / "config.yaml").to_dict()
    data["paths"]["processed"] = str(tmp_path_factory.mktemp("region"))
    data["samples"][0]["region"] = [101, 150, 499, 453]
    return run_config(RunConfig.from_dict(data), until="region")[0]


def test_the_slide_stays_in_view_around_a_region(region_run: Path) -> None:
    source = open_source(region_run)
    image, slide = source.image(), source.slide_image()
    assert image is not None
    assert slide is not None
    assert image.box == (101, 150, 499, 453)
    assert slide.box == (0, 0, 600, 600)
    np.testing.assert_array_equal(np.asarray(image.levels[0]), slide.levels[0][150:453, 101:499])


def test_bins_of_8_um_are_the_slides_and_those_of_2_um_the_regions(region_run: Path) -> None:
    source = open_source(region_run)
    whole = pd.read_parquet(
        Path(RunStore.open(region_run).source("outs") or "")
        / "binned_outputs/square_008um/spatial/tissue_positions.parquet"
    ).query("in_tissue == 1")
    large, small = source.bins(8), source.bins(2)
    assert large is not None
    assert small is not None
    assert large.n_bins == len(whole)
    places = whole[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    np.testing.assert_allclose(np.sort(large.centres, axis=0), np.sort(places, axis=0), atol=1e-6)
    x, y = small.centres.T
    assert x.min() > 101 - 8
    assert x.max() < 499 + 8
    inside = large.column("location_id").notna()
    assert 0 < inside.sum() < large.n_bins
    x, y = large.centres[inside.to_numpy()].T
    assert (x > 101 - 16).all()
    assert (y < 453 + 16).all()


def test_a_run_that_has_computed_nothing_shows_its_slide(region_run: Path, tmp_path: Path) -> None:
    store = RunStore.open(region_run)
    made = RunStore.create(
        tmp_path, "new", store.config(), "demo", store.source("outs"), store.source("image")
    )
    source = open_source(made.run_dir)
    assert source.segmentation_names() == ()
    assert source.typed is None
    assert source.image() is None
    slide = source.slide_image()
    assert slide is not None
    assert slide.box == (0, 0, 600, 600)
    assert source.um_per_px == pytest.approx(0.2737)
    bins = source.bins(2)
    assert bins is not None
    assert len(source.obs()) == 0
    assert source.sdata() is None


# Space Ranger folders


def test_a_space_ranger_folder_is_looked_at_and_gets_no_files(simulated: Path) -> None:
    before = files_of(simulated)
    source = open_source(simulated)
    assert (source.kind, source.sample_id) == ("space_ranger", "demo")
    assert source.um_per_px == pytest.approx(0.2737)
    image = source.image()
    assert image is not None
    assert image.levels[0].shape == (600, 600, 3)
    assert source.hires() is not None
    for size in keys.BIN_SIZES_UM:
        bins = source.bins(size)
        assert bins is not None
        assert bins.total().sum() > 0
        assert bins.gene(bins.genes[0]).shape == (bins.n_bins,)
    assert source.segmentation_names() == ()
    with pytest.raises(BadInputError, match="run the segmentation"):
        source.outlines(keys.STARDIST)
    source.close()
    assert files_of(simulated) == before


def test_without_the_picture_the_overview_is_shown(simulated: Path, tmp_path: Path) -> None:
    shutil.copytree(simulated / "outs", tmp_path / "slide" / "outs")
    source = open_source(tmp_path / "slide")
    assert source.image() is None
    overview = source.hires()
    assert overview is not None
    pixels, scale, origin = overview
    assert pixels.shape == (600, 600, 3)
    assert (scale, origin) == (1.0, (0.0, 0.0))
    assert "fullres_image" in source.notices[0]


def test_bins_without_places_in_their_barcodes_are_placed_by_the_table(
    simulated: Path, tmp_path: Path
) -> None:
    import h5py

    shutil.copytree(simulated / "outs", tmp_path / "outs")
    folder = tmp_path / "outs/binned_outputs/square_008um"
    expected = open_source(tmp_path / "outs").bins(8)
    positions = pd.read_parquet(folder / "spatial/tissue_positions.parquet")
    positions["barcode"] = [f"b{number:019d}" for number in range(len(positions))]
    names = dict(
        zip(
            pd.read_parquet(folder / "spatial/tissue_positions.parquet")["barcode"],
            positions["barcode"],
            strict=True,
        )
    )
    positions.to_parquet(folder / "spatial/tissue_positions.parquet", index=False)
    with h5py.File(folder / "filtered_feature_bc_matrix.h5", "r+") as file:
        barcodes = [names[b.decode()].encode() for b in file["matrix/barcodes"][:]]
        del file["matrix/barcodes"]
        file["matrix/barcodes"] = np.array(barcodes)
    bins = open_source(tmp_path / "outs").bins(8)
    assert bins is not None
    assert expected is not None
    np.testing.assert_array_equal(bins.array_row, expected.array_row)
    np.testing.assert_array_equal(bins.array_col, expected.array_col)
    np.testing.assert_array_equal(bins.total(), expected.total())


def test_a_tiled_pyramid_is_read_by_its_own_levels(simulated: Path, tmp_path: Path) -> None:
    import tifffile

    from napari_vhd.io.source_image import file_pyramid

    pixels = np.random.default_rng(0).integers(0, 255, (1030, 2050, 3), dtype=np.uint8)
    path = tmp_path / "slide.btf"
    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        given = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
        tif.write(pixels, subifds=2, **given)
        tif.write(pixels[::2, ::2], subfiletype=1, **given)
        tif.write(pixels[::4, ::4], subfiletype=1, **given)
    pyramid = file_pyramid(path)
    assert len(pyramid.levels) == 3
    for level, step in zip(pyramid.levels, (1, 2, 4), strict=True):
        np.testing.assert_array_equal(np.asarray(level), pixels[::step, ::step])
        np.testing.assert_array_equal(level[100:300, 7:400], pixels[::step, ::step][100:300, 7:400])
    assert pyramid.scales == pytest.approx((1, 2, 4), rel=1e-2)


@pytest.mark.parametrize("what", ["missing", "empty", "file", "points.zarr"])
def test_what_is_no_sample_is_refused_in_one_sentence(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "empty":
        path.mkdir()
    elif what == "file":
        path.write_text("hello")
    elif what == "points.zarr":
        path.mkdir()
        (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    with pytest.raises(BadInputError, match=what) as refusal:
        open_source(path)
    assert "\n" not in str(refusal.value)


# The last view


def test_the_last_view_is_kept_beside_the_store(reviewed_run: Path) -> None:
    assert read_view(reviewed_run) is None
    write_view(reviewed_run, {"camera": {"zoom": 2.0}})
    assert read_view(reviewed_run) == {"camera": {"zoom": 2.0}}
    (reviewed_run / keys.VIEW_FILE).write_text("{ damaged")
    assert read_view(reviewed_run) is None
    write_view(reviewed_run / "gone", {})
