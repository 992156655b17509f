"""The steps of the workflow: which stages and which parameters belong to each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.io import models

from .form import Suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_vhd.runner.outlook import Outlook


@dataclass(frozen=True)
class Group:
    """Parameters under one heading; closed where a first-time user need not look."""

    title: str
    names: tuple[str, ...]
    is_open: bool = True


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    title
        As in the list of steps.
    what
        What it does, in a sentence.
    stages
        Names of its stages, in order.
    groups
        Its parameters.
    """

    title: str
    what: str
    stages: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()


SAMPLE = Step(
    "Sample",
    "Choose what to work on: a Space Ranger folder, a run folder or a SpatialData zarr.",
    ("read",),
)
REGION = Step(
    "Region",
    "Crop to a part of the slide, or take the whole. A few mm² are quick; a whole slide takes "
    "hours.",
    ("region",),
)
SEGMENTATION = Step(
    "Segmentation",
    "Find nuclei on the H&E (StarDist), grow them to cells by their transcripts (ProSeg), and "
    "count the bins inside each.",
    ("patches", "stardist", "proseg", "boundaries", "aggregation"),
    (
        Group("StarDist nuclei", ("stardist_model", "prob_thresh", "nms_thresh", "min_area")),
        Group("Cells and counts", ("boundaries_to_type", "expand_radius_ratio", "no_overlap")),
        Group("ProSeg cells", ("proseg",), is_open=False),
        Group("More", ("boundaries", "patch_width", "patch_overlap"), is_open=False),
    ),
)
DOMAINS = Step(
    "Domains",
    "Leave out poor cells, then part the tissue into spatial domains (Novae).",
    ("qc", "neighbors", "domains"),
    (
        Group(
            "Which cells are kept",
            ("filter_cells_counts", "filter_genes_counts", "pct_mito", "percentile_pct_mito"),
        ),
        Group("Islands", ("min_cells_island", "islands_keep", "islands_drop"), is_open=False),
        Group("Domains", ("novae_model", "domain_range", "radius")),
        Group("More", ("domains_on", "novae_max_epochs", "zero_shot"), is_open=False),
    ),
)
DECONVOLUTION = Step(
    "Deconvolution",
    "Estimate the share of each cell type in every bin from the single-cell reference "
    "(FlashDeconv and RCTD).",
    ("flashdeconv", "rctd"),
    (
        Group("Reference", ("cell_type_col", "max_reference_cells")),
        Group("Bins", ("deconvolution_bins", "umi_min")),
        Group("More", ("umi_max", "rctd_mode", "umi_min_sigma"), is_open=False),
    ),
)
CELL_TYPES = Step(
    "Cell types",
    "Name the cells: by CellTypist from the reference, and by marker genes over the domains "
    "(EnrichMap).",
    ("celltypist", "enrichment"),
    (
        Group("Cell types", ("clustering_col", "celltypist_model", "marker_source", "smoothing")),
        Group("More", ("cell_counts", "n_markers", "seed"), is_open=False),
    ),
)
REVIEW = Step("Review", "Look at what came out, keep the settings, and see what is out of date.")

STEPS = (SAMPLE, REGION, SEGMENTATION, DOMAINS, DECONVOLUTION, CELL_TYPES, REVIEW)

SUGGESTIONS: Mapping[str, Suggestion] = {
    "stardist_model": Suggestion((models.PRETRAINED_STARDIST, models.SHIPPED), "folder"),
    "novae_model": Suggestion(("MICS-Lab/novae-human-0", "MICS-Lab/novae-mouse-0"), "folder"),
    "celltypist_model": Suggestion((models.TRAIN,), "file"),
    "boundaries": Suggestion((), "file"),
    "clustering_col": Suggestion(tuple(keys.domains(n) for n in range(5, 16))),
    "cell_type_col": Suggestion(("ClusterMidway", "cell_type")),
}

_WORST_FIRST = ("failed", "running", "stale", "missing", "done", "left out")


def status_of(step: Step, outlook: Outlook | None, running: set[str], failed: set[str]) -> str:
    """Sum up the stages of a step: the one that needs attention most."""
    if outlook is None or not step.stages:
        return ""
    found = set()
    for name in step.stages:
        if name in running:
            found.add("running")
        elif name in failed:
            found.add("failed")
        else:
            found.add(outlook.of(name).status)
    return next(status for status in _WORST_FIRST if status in found)
