"""Which figures belong to which stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import cell_types, deconvolution, domains, overview, qc, scores, segmentation, sheet
from .view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from matplotlib.figure import Figure
    from spatialdata import SpatialData

    from napari_vhd.config import RunConfig

AFTER: Mapping[str, Callable[[View], Iterator[tuple[str, Figure]]]] = {
    "read": overview.after_read,
    "region": overview.after_region,
    "stardist": segmentation.after_stardist,
    "proseg": segmentation.after_proseg,
    "boundaries": segmentation.after_boundaries,
    "qc": qc.after_qc,
    "neighbors": qc.after_neighbors,
    "domains": domains.after_domains,
    "flashdeconv": deconvolution.after_flashdeconv,
    "rctd": deconvolution.after_rctd,
    "celltypist": cell_types.after_celltypist,
    "enrichment": scores.after_enrichment,
}


def draw(
    stage_name: str, sdata: SpatialData, sample_id: str, folder: Path, config: RunConfig
) -> list[Path]:
    """Draw the figures of one stage from what the store holds after it.

    Parameters
    ----------
    stage_name
        As in `napari_vhd.stages`; a stage without figures gives none.
    sdata
        The sample; images are read lazily, from the pyramid level that fits.
    sample_id
        Name of the full-resolution px coordinate system.
    folder
        Where the PNGs go, ``figures`` of the run folder; made if missing. Each file is replaced
        whole.
    config
        The run's parameters, for the limits and columns that the figures show.

    Returns
    -------
    The files, in the order drawn. What the store lacks is not drawn.
    """
    after = AFTER.get(stage_name)
    if after is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    view = View(sdata, sample_id, config, folder.parent)
    return [sheet.save(figure, folder / name) for name, figure in after(view)]
