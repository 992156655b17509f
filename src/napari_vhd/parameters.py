"""Parameters of the stages: one frozen dataclass a stage, every default written once.

Field names are the flat keys of the config file. Forms, options and provenance are made from
these classes. A key that several stages read stands in a small class that they inherit.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

Parameters = TypeVar("Parameters")


def _described(text: str, unit: str = "", **bounds: Any) -> Any:
    """Say what a parameter does to the result, its unit and its bounds."""
    return Field(description=text, json_schema_extra={"unit": unit}, **bounds)


@dataclass(frozen=True)
class Seeded:
    """The seed of everything random."""

    seed: Annotated[int, _described("Seed of everything random.", ge=0, le=2**32 - 1)] = 0


@dataclass(frozen=True)
class BoundariesChoice:
    """Which cell boundaries are used from aggregation on."""

    boundaries_to_type: Annotated[
        Literal["proseg", "stardist"],
        _described("Cells that are counted and typed: ProSeg cells or StarDist nuclei."),
    ] = "proseg"


@dataclass(frozen=True)
class BoundariesFile:
    """Boundaries made before, in place of a segmentation."""

    boundaries: Annotated[
        str | None,
        _described("File or run folder with boundaries made before; segmentation is skipped."),
    ] = None


@dataclass(frozen=True)
class ClusteringColumn:
    """The domains that types are voted and ranked over."""

    clustering_col: Annotated[
        str, _described("Column of domains over which cell types are voted and ranked.")
    ] = "novae_domains_8"


@dataclass(frozen=True)
class CountsChoice:
    """Which counts are typed."""

    cell_counts: Annotated[
        Literal["boundaries", "proseg"],
        _described("Counts that typing reads: within the drawn outlines, or ProSeg's own."),
    ] = "boundaries"


@dataclass(frozen=True)
class ReferenceParameters:
    """How the single-cell reference is read."""

    cell_type_col: Annotated[str, _described("Column of cell types in the reference.")] = (
        "ClusterMidway"
    )
    max_reference_cells: Annotated[
        int,
        _described("The reference is downsampled by proportion to this many.", "cells", ge=50),
    ] = 60_000


@dataclass(frozen=True)
class BinSize:
    """Which bins are deconvolved, or parted into domains."""

    deconvolution_bins: Annotated[
        Literal[8, 16], _described("Size of the bins that are deconvolved.", "µm")
    ] = 8


@dataclass(frozen=True)
class BinParameters(BinSize):
    """Which bins are deconvolved, by their depth."""

    umi_min: Annotated[int, _described("Bins with fewer are not fitted.", "UMIs", ge=1)] = 100
    umi_max: Annotated[int, _described("Bins with more are not fitted.", "UMIs", ge=1)] = 20_000_000


@dataclass(frozen=True)
class ReadParameters:
    """Reading and checking; nothing to choose."""


@dataclass(frozen=True)
class RegionParameters:
    """Cropping to the region; the region itself belongs to the sample."""


@dataclass(frozen=True)
class PatchesParameters:
    """How the image is cut into overlapping patches."""

    patch_width: Annotated[int, _described("Side of a patch.", "px", ge=128)] = 2000
    patch_overlap: Annotated[int, _described("Overlap of neighbouring patches.", "px", ge=0)] = 50


@dataclass(frozen=True)
class StardistParameters:
    """StarDist nuclei."""

    stardist_model: Annotated[
        str,
        _described("Pretrained name, 'vhd-he-small' (shipped, offline), or a model folder."),
    ] = "2D_versatile_he"
    prob_thresh: Annotated[
        float | None,
        _described(
            "Nuclei below this probability are left out; empty: the model's own.", ge=0, le=1
        ),
    ] = None
    nms_thresh: Annotated[
        float | None,
        _described("Overlap above which one of two nuclei is left out; empty: own.", ge=0, le=1),
    ] = None
    min_area: Annotated[float, _described("Nuclei below this area are left out.", "px", ge=0)] = 20


@dataclass(frozen=True)
class ProsegSettings:
    """ProSeg's own options; ProSeg's default where empty."""

    burnin_samples: Annotated[int | None, _described("Burn-in iterations.", ge=1)] = None
    samples: Annotated[int | None, _described("Iterations.", ge=1)] = None
    hillclimb: Annotated[int | None, _described("Hill-climbing iterations.", ge=0)] = None
    voxel_size: Annotated[float | None, _described("Side of a voxel.", "µm", gt=0)] = None
    threads: Annotated[int | None, _described("Threads; empty: all cores.", ge=1)] = None


@dataclass(frozen=True)
class ProsegParameters(Seeded):
    """ProSeg cells around the StarDist nuclei."""

    proseg: Annotated[ProsegSettings, _described("ProSeg's own options.")] = field(
        default_factory=ProsegSettings
    )


@dataclass(frozen=True)
class BoundariesParameters(BoundariesFile, BoundariesChoice):
    """Boundaries read from a file."""


@dataclass(frozen=True)
class AggregationParameters(BoundariesChoice):
    """Counting bins into cells."""

    expand_radius_ratio: Annotated[
        float | None,
        _described(
            "Cells grow by this times their mean radius before bins are counted; "
            "empty: 1 around StarDist nuclei, 0 for ProSeg cells.",
            ge=0,
        ),
    ] = None
    no_overlap: Annotated[
        bool, _described("Give a bin that lies in several cells to the most similar one only.")
    ] = False


@dataclass(frozen=True)
class QcParameters:
    """Which genes and cells are kept."""

    filter_genes_counts: Annotated[
        int, _described("Genes with fewer counts are left out.", "UMIs", ge=0)
    ] = 1
    filter_cells_counts: Annotated[
        int, _described("Cells with fewer counts are left out.", "UMIs", ge=0)
    ] = 1
    pct_mito: Annotated[
        float, _described("Cells at or above are left out.", "% mitochondrial", ge=0, le=100)
    ] = 10
    percentile_pct_mito: Annotated[
        float | None,
        _described("Use this quantile of the cells' mt % in place of pct_mito.", ge=0, le=1),
    ] = None
    min_cells_island: Annotated[
        int | None, _described("Isolated islands smaller than this are left out.", "cells", ge=1)
    ] = None
    islands_keep: Annotated[
        tuple[int, ...], _described("Keep only these islands, by the number in the figure.")
    ] = ()
    islands_drop: Annotated[
        tuple[int, ...], _described("Leave out these islands, by the number in the figure.")
    ] = ()


@dataclass(frozen=True)
class NeighborsParameters(BinSize):
    """Which cells are neighbours."""

    radius: Annotated[float, _described("Longest distance of neighbours.", "µm", gt=0)] = 50
    domains_on: Annotated[
        Literal["cells", "bins"],
        _described("Domains of cells, or of the deconvolution bins (Novae's grid)."),
    ] = "cells"


@dataclass(frozen=True)
class DomainsParameters(NeighborsParameters, Seeded):
    """Spatial domains by Novae."""

    novae_model: Annotated[
        str | None, _described("Hub name or folder; empty: trained on this sample.")
    ] = "MICS-Lab/novae-human-0"
    novae_max_epochs: Annotated[int, _described("Epochs of training or tuning.", ge=0)] = 50
    zero_shot: Annotated[
        bool, _described("Zero-shot representations; else those of the tuned prototypes.")
    ] = True
    domain_range: Annotated[
        tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]],
        _described("Fewest and most domains; every number between is computed."),
    ] = (5, 15)


@dataclass(frozen=True)
class FlashdeconvParameters(ReferenceParameters, BinParameters, Seeded):
    """Cell type proportions of bins by FlashDeconv."""


@dataclass(frozen=True)
class RctdParameters(ReferenceParameters, BinParameters, Seeded):
    """Cell type proportions of bins by RCTD."""

    rctd_mode: Annotated[
        Literal["full", "doublet"], _described("Any mixture of types, or at most two a bin.")
    ] = "full"
    umi_min_sigma: Annotated[
        int,
        _described(
            "Bins with more are used to fit RCTD's noise level; lowered, with a notice, "
            "where too few reach it.",
            "UMIs",
            ge=1,
        ),
    ] = 300


@dataclass(frozen=True)
class CelltypistParameters(ReferenceParameters, ClusteringColumn, CountsChoice, Seeded):
    """Cell types by CellTypist."""

    celltypist_model: Annotated[
        str, _described("'train' (from the reference), a pretrained name, or a file.")
    ] = "train"


@dataclass(frozen=True)
class EnrichmentParameters(ReferenceParameters, ClusteringColumn, CountsChoice, Seeded):
    """Cell types by EnrichMap scores and the elbow gap."""

    smoothing: Annotated[
        bool, _described("Smooth scores over neighbours; unsmoothed ones are kept beside them.")
    ] = True
    marker_source: Annotated[
        Literal["config", "celltypist", "rank_genes_groups", "scmags"],
        _described("Signatures: marker_genes of the config, or from the reference."),
    ] = "config"
    n_markers: Annotated[
        int, _described("Genes a signature, where taken from the reference.", "genes", ge=2)
    ] = 20


@dataclass(frozen=True)
class Params(
    ReadParameters,
    RegionParameters,
    PatchesParameters,
    StardistParameters,
    ProsegParameters,
    BoundariesParameters,
    AggregationParameters,
    QcParameters,
    DomainsParameters,
    FlashdeconvParameters,
    RctdParameters,
    CelltypistParameters,
    EnrichmentParameters,
):
    """All parameters of a run, flat as in the file."""

    def of(self, stage: type[Parameters]) -> Parameters:
        """Take the parameters of one stage.

        Parameters
        ----------
        stage
            The stage's dataclass of parameters, for example `QcParameters`.
        """
        names = [f.name for f in dataclasses.fields(stage)]  # type: ignore[arg-type]
        return stage(**{name: getattr(self, name) for name in names})
