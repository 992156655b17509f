"""How much memory the stages of a run will need, from the Space Ranger folder alone.

By the same formulas that each stage is checked with before it starts; what only an earlier stage
can tell (how many nuclei there are) is assumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_vhd.io import bin_depth, outs, regions
from napari_vhd.io.fullres_image import check_image

from . import bins, flashdeconv, proseg, rctd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .stage import Inputs

BINS_A_NUCLEUS = 25
"""2 µm bins under tissue for each nucleus: one in 100 µm², as in colon."""


def memory_of(inputs: Inputs) -> Mapping[str, int]:
    """Estimate the bytes that each stage of a sample will need beside what it reads.

    Parameters
    ----------
    inputs
        Of a sample whose Space Ranger folder was checked.

    Returns
    -------
    Mapping
        Name of each stage that is estimated before it starts -> bytes.

    Raises
    ------
    BadInputError
        Where image or region cannot be used.
    """
    params = inputs.config.params
    image = check_image(outs.find_image(inputs.outs, inputs.sample.fullres_image))
    chosen = inputs.sample.region
    region = None if chosen is None else regions.find_region(chosen, image)
    needed: dict[str, int] = {}
    if params.boundaries is None and params.boundaries_to_type == "proseg":
        fine = bin_depth.bin_depth(inputs.outs, 2, region)
        nuclei = len(fine.umis) // BINS_A_NUCLEUS
        needed[proseg.STAGE.name] = proseg.needed_bytes(fine.genes, float(fine.umis.sum()), nuclei)
    size_um = params.deconvolution_bins
    reference = inputs.config.paths.reference
    if reference is not None and outs.bin_folder(inputs.outs, size_um).is_dir():
        depth = bin_depth.bin_depth(inputs.outs, size_um, region)
        fitted = (depth.umis >= params.umi_min) & (depth.umis <= params.umi_max)
        size = bins.Size(
            bins=int(fitted.sum()),
            genes=depth.genes,
            counts=int(depth.counts[fitted].sum()),
            largest=int(depth.largest[fitted].max(initial=0)),
            reference_counts=bins.reference_counts(Path(reference), params.max_reference_cells),
        )
        needed[flashdeconv.STAGE.name] = flashdeconv.needed_bytes(size)
        needed[rctd.STAGE.name] = rctd.needed_bytes(size)
    return needed
