"""Nuclei on the H&E by StarDist, patch by patch, with the probability of each.

Patches, their normalisation and the merging of nuclei cut by a patch border are sopa's
(`sopa.segmentation.stardist`); what differs is that the model is loaded once a process, that the
outlines are StarDist's own polygons rather than tracings of its mask, that their probabilities are
kept, and that the model's own thresholds hold unless the config sets others.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError, require_engine
from napari_vhd.io import frames, models
from napari_vhd.io.visium_hd import quiet
from napari_vhd.parameters import StardistParameters

from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MIN_PATCH_PX = 10  # sopa's: StarDist has nothing to see in less
SAME_NUCLEUS = 0.5  # sopa's: overlap, of the smaller one, from which two outlines are one nucleus


@dataclass(frozen=True)
class Patch:
    """All that a worker needs for one patch: plain values, so that any process can take it.

    Attributes
    ----------
    image
        Folder of the image's zarr array (c, y, x), or a ``.npy`` file of just this patch.
    bounds
        (xmin, ymin, xmax, ymax) in px of the image.
    inside
        WKB of the part of the patch that is in the region, or None: all of it.
    model
        Folder of the model, or the name of a pretrained one.
    prob_thresh, nms_thresh
        None: the model's own.
    min_area
        In px.
    """

    image: str
    bounds: tuple[int, int, int, int]
    inside: bytes | None
    model: str
    prob_thresh: float | None
    nms_thresh: float | None
    min_area: float


@dataclass(frozen=True)
class Nuclei:
    """Outlines (shapely polygons) and StarDist's probability of each; arrays of one length."""

    outlines: NDArray[Any]
    probability: NDArray[np.float64]

    def take(self, which: Any) -> Nuclei:
        """Choose nuclei by index or mask."""
        return Nuclei(self.outlines[which], self.probability[which])


def segment(patch: Patch) -> Nuclei:
    """Find the nuclei of one patch, in px of the image (corner convention)."""
    import shapely
    from csbdeep.utils import normalize
    from sopa.shapes import ensure_polygon

    pixels = normalize(_read(patch).transpose(1, 2, 0), clip=True)
    model = _model(patch.model)
    _, found = model.predict_instances(
        pixels,
        prob_thresh=patch.prob_thresh,
        nms_thresh=patch.nms_thresh,
        return_labels=False,
        predict_kwargs={"verbose": 0},
    )
    # (n, 2, rays), y before x, from the centre of the first pixel: hence the half.
    corners = found["coord"][:, ::-1, :].transpose(0, 2, 1) + 0.5
    corners = corners + np.array(patch.bounds[:2])
    outlines = np.array([ensure_polygon(polygon) for polygon in shapely.polygons(corners)])
    outlines = shapely.intersection(outlines, shapely.box(*patch.bounds))
    return _large(Nuclei(outlines, np.asarray(found["prob"], dtype=float)), patch.min_area)


def run_one(sample: Sample, parameters: StardistParameters) -> Outcome:
    """Segment the patches of one sample wherever its executor computes them."""
    import geopandas as gpd
    import shapely

    image = sample.sdata.images[keys.full_image(sample.id)]
    patches = _patches(sample, image, parameters)
    found: list[Nuclei | None] = [None] * len(patches)
    sample.report.progress(0, len(patches), "patches")
    for done, (index, nuclei) in enumerate(sample.executor.map(segment, patches), start=1):
        found[index] = nuclei
        sample.report.progress(done, len(patches), "patches")
    nuclei = joined([n for n in found if n is not None], parameters.min_area)
    if not len(nuclei.outlines):
        raise StageError(
            f"{sample.id}: StarDist model {parameters.stardist_model!r} found no nuclei; choose a "
            "region with tissue, another stardist_model for this staining, or a lower prob_thresh."
        )
    outlines = frames.moved(nuclei.outlines, frames.matrix_to(image, sample.id))
    # By position, so that ids depend neither on the patches' order nor on who computed them.
    centres = np.round(shapely.get_coordinates(shapely.centroid(outlines)), 3)
    order = np.lexsort((centres[:, 0], centres[:, 1]))
    area = shapely.area(outlines) * frames.um_per_px(sample.sdata, sample.id) ** 2
    shapes = gpd.GeoDataFrame(
        {keys.PROBABILITY: nuclei.probability[order], keys.AREA_UM2: area[order]},
        geometry=outlines[order],
        index=[f"n{number:06d}" for number in range(1, len(order) + 1)],
    )
    return Outcome(
        elements={keys.STARDIST: frames.full_px_shapes(shapes, sample.sdata, sample.id)},
        numbers={
            "nuclei": len(shapes),
            "median nucleus area (µm²)": round(float(np.median(area)), 1),
            "median probability": round(float(np.median(nuclei.probability)), 3),
            "patches": len(patches),
        },
        weights={parameters.stardist_model: Path(patches[0].model)},
    )


def joined(patches: list[Nuclei], min_area: float) -> Nuclei:
    """Make one set of disjoint nuclei out of those of overlapping patches.

    What two patches both saw becomes one nucleus by sopa's `solve_conflicts`, with the higher of
    their probabilities. Area that two nuclei still share goes to the more probable one, as in
    StarDist's own label image.
    """
    import shapely
    from sopa.segmentation import solve_conflicts

    outlines = np.concatenate([n.outlines for n in patches] or [np.array([], dtype=object)])
    if not len(outlines):
        return Nuclei(outlines, np.array([]))
    every = Nuclei(outlines, np.concatenate([n.probability for n in patches]))
    with quiet():
        cells, origin = solve_conflicts(
            list(every.outlines),
            threshold=SAME_NUCLEUS,
            patch_indices=np.repeat(np.arange(len(patches)), [len(n.outlines) for n in patches]),
            return_indices=True,
        )
    resolved = cells.geometry.to_numpy()
    probability = np.where(origin >= 0, every.probability[origin], 0.0)
    merged = np.flatnonzero(origin < 0)
    parts = np.setdiff1d(np.arange(len(every.outlines)), origin)
    tree = shapely.STRtree(shapely.point_on_surface(every.outlines[parts]))
    whole, part = tree.query(resolved[merged], predicate="contains")
    np.maximum.at(probability, merged[whole], every.probability[parts[part]])
    return _large(_disjoint(Nuclei(resolved, probability)), min_area)


def _large(nuclei: Nuclei, min_area: float) -> Nuclei:
    """Leave out nuclei below an area (px), and what has none."""
    import shapely

    area = shapely.area(nuclei.outlines)
    return nuclei.take((area > 0) & (area >= min_area))


def _disjoint(nuclei: Nuclei) -> Nuclei:
    """Give area that two nuclei share to the more probable one."""
    import shapely
    from sopa.shapes import ensure_polygon

    rank = np.empty(len(nuclei.outlines), dtype=int)
    rank[np.lexsort((np.arange(len(rank)), -nuclei.probability))] = np.arange(len(rank))
    weak, strong = shapely.STRtree(nuclei.outlines).query(nuclei.outlines, predicate="intersects")
    yields = rank[weak] > rank[strong]
    outlines = nuclei.outlines.copy()
    for loser, winner in zip(weak[yields], strong[yields], strict=True):
        outlines[loser] = outlines[loser].difference(nuclei.outlines[winner])
    for loser in np.unique(weak[yields]):
        outlines[loser] = ensure_polygon(outlines[loser])
    return Nuclei(outlines, nuclei.probability)


def _patches(sample: Sample, image: Any, parameters: StardistParameters) -> list[Patch]:
    """Cut the image's patches into tasks."""
    import shapely
    from spatialdata import get_pyramid_levels

    pixels = get_pyramid_levels(image, n=0) if hasattr(image, "children") else image
    channels, height, width = pixels.shape
    if channels != 3 or not np.issubdtype(pixels.dtype, np.integer):
        raise StageError(
            f"{sample.id}: the full-resolution image has {channels} channel(s) of "
            f"{pixels.dtype}, but StarDist needs an 8-bit RGB picture of the H&E; export it as RGB."
        )
    to_image = np.linalg.inv(frames.matrix_to(image, sample.id))
    shapes = frames.in_full_px(sample.sdata, keys.IMAGE_PATCHES, sample.id)
    folder = models.stardist_folder(parameters.stardist_model)
    model = str(folder) if folder else _downloaded(parameters.stardist_model)
    store = _array_folder(sample, image)
    patches = []
    for number, patch in enumerate(frames.moved(shapes.geometry.to_numpy(), to_image)):
        x0, y0, x1, y1 = (round(value) for value in patch.bounds)
        bounds = (max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
        if min(bounds[2] - bounds[0], bounds[3] - bounds[1]) < MIN_PATCH_PX:
            continue
        box = shapely.box(*bounds)
        inside = None if patch.buffer(1).covers(box) else shapely.to_wkb(patch)
        if store is None:
            file = sample.scratch / f"patch_{number:06d}.npy"
            np.save(file, pixels[:, bounds[1] : bounds[3], bounds[0] : bounds[2]].to_numpy())
        patches.append(
            Patch(
                image=store or str(file),
                bounds=bounds,
                inside=inside,
                model=model,
                prob_thresh=parameters.prob_thresh,
                nms_thresh=parameters.nms_thresh,
                min_area=parameters.min_area,
            )
        )
    return patches


def _array_folder(sample: Sample, image: Any) -> str | None:
    """Folder of the image's full-resolution zarr array; None where it is in memory only."""
    import zarr
    from spatialdata import get_dask_backing_files

    if not sample.sdata.is_backed() or not get_dask_backing_files(image):
        return None
    folder = Path(sample.sdata.path) / "images" / keys.full_image(sample.id)
    attributes: Any = zarr.open_group(folder, mode="r").attrs
    attributes = attributes.get("ome", attributes)
    return str(folder / attributes["multiscales"][0]["datasets"][0]["path"])


def _read(patch: Patch) -> NDArray[Any]:
    """Pixels (c, y, x) of a patch; what is outside the region gets the mean colour inside."""
    import shapely
    import zarr
    from sopa.shapes import rasterize

    x0, y0, x1, y1 = patch.bounds
    if patch.image.endswith(".npy"):
        pixels: NDArray[Any] = np.load(patch.image)
    else:
        array: Any = zarr.open_array(patch.image, mode="r")
        pixels = array[:, y0:y1, x0:x1]
    if patch.inside is None:
        return pixels
    mask = rasterize(shapely.from_wkb(patch.inside), pixels.shape[1:], (x0, y0)).astype(bool)
    if not mask.any():
        return pixels
    mean = pixels[:, mask].mean(axis=1)
    return np.where(mask, pixels, mean[:, None, None]).astype(pixels.dtype)


@lru_cache(maxsize=1)
def _model(name: str) -> Any:
    """Load a model once a process, without its and TensorFlow's chatter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with contextlib.redirect_stdout(io.StringIO()):
        import tensorflow
        from stardist.models import StarDist2D

        tensorflow.keras.utils.set_random_seed(0)
        folder = Path(name)
        if folder.is_dir():
            return StarDist2D(None, name=folder.name, basedir=str(folder.parent))
        return StarDist2D.from_pretrained(name)


def _downloaded(name: str) -> str:
    """Fetch a pretrained model before any worker asks for it.

    Raises
    ------
    StageError
        Where it can neither be found in the cache nor downloaded.
    """
    try:
        loaded = _model(name)
    except Exception as error:  # urllib, keras and zipfile raise whatever they like here
        raise StageError(
            f"StarDist model {name!r} is not here and cannot be downloaded ({error}); go online "
            "once, or set stardist_model to 'vhd-he-small' (shipped) or to a model folder."
        ) from error
    return str(Path(loaded.basedir) / loaded.name)


def _check(inputs: Inputs) -> None:
    """Raise for an engine or a model that is not there."""
    require_engine("stardist", "stardist")
    models.check_stardist(inputs.config.params.stardist_model)


def _files(inputs: Inputs) -> Iterable[Path]:
    """Weights that the result depends on."""
    return models.stardist_files(inputs.config.params.stardist_model)


STAGE = Stage(
    name="stardist",
    title="StarDist nuclei",
    parameters=StardistParameters,
    run=each(run_one),
    needs=("patches",),
    makes=(keys.STARDIST,),
    check=_check,
    files=_files,
    imports=("stardist.models", "sopa"),
)
