"""Read and check a Space Ranger folder: what is in it, and its overview pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.io import outs, space_ranger
from napari_vhd.parameters import ReadParameters

from .stage import Inputs, Outcome, Sample, Stage, each

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def read(sample: Sample, _parameters: ReadParameters) -> Outcome:
    """Take the overview pictures over and say what the sample holds.

    The bins are read by the stage `region`, which keeps those that lie in it.
    """
    from napari_vhd.io import visium_hd

    checked = space_ranger.check_outs(sample.outs, sample.id, sample.image)
    largest = max(checked.bins)
    sdata = visium_hd.read(checked, sample.id, bin_sizes=(largest,))
    overviews = (keys.hires_image(sample.id), keys.lowres_image(sample.id))
    elements = {name: sdata[name] for name in overviews if name in sdata}
    if twice := checked.duplicate_genes:
        sample.report.notice(
            f"{len(twice)} gene names stand for several genes and got a suffix: "
            f"{', '.join(twice[:5])}{', …' if len(twice) > 5 else ''}."
        )
    if missing := [size for size in keys.BIN_SIZES_UM if size not in checked.bins]:
        sizes = " and ".join(str(size) for size in missing)
        sample.report.notice(f"There are no {sizes} µm bins in {sample.outs.name}.")
    image = checked.image
    sample.report.log(f"{sample.id}: {image.path}, {image.width} x {image.height} px")
    numbers: dict[str, float | int | str] = {
        f"{size} µm bins": n for size, n in checked.bins.items()
    }
    numbers |= {
        "genes": len(checked.genes),
        "UMIs": outs.count_umis(checked.outs, 2),
        "image (px)": f"{image.width} x {image.height}",
        "µm/px": checked.microns_per_pixel,
    }
    return Outcome(elements=elements, numbers=numbers)


def check(inputs: Inputs) -> None:
    """Check the folder, its image, and that the bins are there that the run will need."""
    parameters = inputs.config.params
    needed = {2}
    if inputs.config.paths.reference is not None or parameters.domains_on == "bins":
        needed.add(parameters.deconvolution_bins)
    sample = inputs.sample
    space_ranger.check_outs(inputs.outs, sample.id, sample.fullres_image, needed)


def files(inputs: Inputs) -> Iterable[Path]:
    """Name every file that is read."""
    return outs.input_files(inputs.outs, inputs.sample.fullres_image)


STAGE = Stage(
    name="read",
    title="Read and check",
    parameters=ReadParameters,
    run=each(read),
    makes=(keys.hires_image("{id}"), keys.lowres_image("{id}")),
    check=check,
    files=files,
    imports=("sopa.io",),
)
