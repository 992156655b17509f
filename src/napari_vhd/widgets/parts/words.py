"""What parameters and stages are called on the screen."""

from __future__ import annotations

LABELS = {
    "seed": "Seed",
    "boundaries_to_type": "Cells to count and type",
    "boundaries": "Boundaries from a file",
    "clustering_col": "Domains to type over",
    "cell_counts": "Counts to type from",
    "cell_type_col": "Column of cell types",
    "max_reference_cells": "Reference cells at most",
    "deconvolution_bins": "Size of bins",
    "umi_min": "Fewest UMIs in a bin",
    "umi_max": "Most UMIs in a bin",
    "patch_width": "Side of a patch",
    "patch_overlap": "Overlap of patches",
    "stardist_model": "Model",
    "prob_thresh": "Probability from",
    "nms_thresh": "Overlap up to",
    "min_area": "Smallest nucleus",
    "proseg": "ProSeg",
    "burnin_samples": "Burn-in iterations",
    "samples": "Iterations",
    "hillclimb": "Hill-climbing iterations",
    "voxel_size": "Side of a voxel",
    "threads": "Threads",
    "expand_radius_ratio": "Grow cells before counting",
    "no_overlap": "Each bin to one cell only",
    "filter_genes_counts": "Fewest counts of a gene",
    "filter_cells_counts": "Fewest counts of a cell",
    "pct_mito": "Mitochondrial counts below",
    "percentile_pct_mito": "Or by quantile of cells",
    "min_cells_island": "Smallest island",
    "islands_keep": "Keep only islands",
    "islands_drop": "Leave out islands",
    "radius": "Reach of neighbours",
    "domains_on": "Domains of",
    "novae_model": "Novae model",
    "novae_max_epochs": "Epochs",
    "zero_shot": "Zero-shot",
    "domain_range": "Numbers of domains",
    "rctd_mode": "RCTD mode",
    "umi_min_sigma": "UMIs for the noise level",
    "celltypist_model": "CellTypist model",
    "smoothing": "Smooth scores",
    "marker_source": "Signatures from",
    "n_markers": "Genes of a signature",
}
"""Name of each parameter in the config file -> a few words."""

WITHOUT = {
    "prob_thresh": "the model's own",
    "nms_thresh": "the model's own",
    "expand_radius_ratio": "as the kind of cells asks",
    "percentile_pct_mito": "off",
    "min_cells_island": "off",
    "novae_model": "train on this sample",
    "boundaries": "off: segment here",
    "burnin_samples": "ProSeg's own",
    "samples": "ProSeg's own",
    "hillclimb": "ProSeg's own",
    "voxel_size": "ProSeg's own",
    "threads": "all cores",
}
"""What no value means, for the tick beside a parameter that may have none."""

FIRST = {
    "prob_thresh": 0.5,
    "nms_thresh": 0.3,
    "expand_radius_ratio": 1.0,
    "percentile_pct_mito": 0.95,
    "min_cells_island": 50,
    "novae_model": "MICS-Lab/novae-human-0",
    "burnin_samples": 200,
    "samples": 200,
    "hillclimb": 50,
    "voxel_size": 2.0,
    "threads": 2,
}
"""Where a parameter starts when its tick for no value is taken away."""

CHOICES = {
    "proseg": "ProSeg cells",
    "stardist": "StarDist nuclei",
    "boundaries": "within the outlines",
    "cells": "cells",
    "bins": "bins",
    "full": "any mixture",
    "doublet": "at most two types",
    "config": "the marker genes above",
    "celltypist": "CellTypist, from the reference",
    "rank_genes_groups": "ranked genes of the reference",
    "scmags": "scMAGS, from the reference",
    "8": "8",
    "16": "16",
}
"""Value of a choice -> words."""

STATUS_WORDS = {
    "done": "done",
    "stale": "out of date",
    "missing": "to do",
    "left out": "left out",
    "running": "running",
    "failed": "failed",
}
STATUS_SIGNS = {
    "done": "✓",
    "stale": "↻",
    "missing": "○",
    "left out": "–",
    "running": "▶",
    "failed": "✗",
}


def label(name: str) -> str:
    """Name a parameter in words."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def span(seconds: float) -> str:
    """Write a time as a person says it."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def memory(megabytes: float) -> str:
    """Write an amount of memory as a person says it."""
    if megabytes < 950:
        return f"{max(round(megabytes, -1), 10):.0f} MB"
    return f"{megabytes / 1024:.1f} GB"


def number(value: float | int | str | None) -> str:
    """Write a value that came out."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int) or (abs(value) >= 1000 and float(value).is_integer()):
        return f"{value:,.0f}"
    return f"{value:,.4g}"
