"""Every element, table, column, file and attribute name, once.

Users' scripts rely on these names: they are a contract.
"""

from __future__ import annotations

# As napari and its users' settings know it
PLUGIN = "napari-vhd"

# Coordinate systems: full-resolution px is named by the sample id, the physical one is in µm.
MICRONS = "microns"

# Elements of a SpatialData store
IMAGE_PATCHES = "image_patches"
TISSUE_OUTLINE = "region_of_interest"
REGIONS = "regions"
STARDIST = "stardist_boundaries"
PROSEG = "proseg_boundaries"
CELLS = "table"
PROSEG_COUNTS = "table_proseg"
BIN_SIZES_UM = (2, 8, 16)

# Columns of boundaries
PROBABILITY = "probability"
AREA_UM2 = "area_um2"
NUCLEUS_ID = "nucleus_id"

# Columns of tables
CELL_ID = "cell_id"
REGION_KEY = "region"
LOCATION_ID = "location_id"
ARRAY_ROW = "array_row"
ARRAY_COL = "array_col"
KEPT = "kept"
KEPT_REASON = "kept_reason"
ISLAND = "island"
REGION_NAME = "region_name"
STALE = "stale"
TYPE_DOMAIN = "cell_type_domain"
TYPE_ENRICHMAP = "cell_type_enrichmap"
TYPE_CELLTYPIST = "cell_type_celltypist"
TYPE_CELLTYPIST_PER_CELL = "cell_type_celltypist_per_cell"
CONFIDENCE_CELLTYPIST = "conf_score_celltypist"
CELLTYPIST_GENES = "used_by_celltypist"
FLASHDECONV_DOMINANT = "flashdeconv_dominant"
RCTD_DOMINANT = "rctd_dominant"
RCTD_SPOT_CLASS = "rctd_spot_class"
RCTD_FIRST = "rctd_first_type"
RCTD_SECOND = "rctd_second_type"
NOT_FITTED = "filtered"
UNASSIGNED = "Unassigned"
UNKNOWN = "Unknown"
UNSURE = "Unsure"

# obsm, layers, uns
SPATIAL = "spatial"
SPATIAL_UM = "spatial_um"
PCA = "X_pca"
LATENT = "novae_latent"
BINS_ASSIGNMENTS = "bins_assignments"
FLASHDECONV = "flashdeconv"
RCTD_WEIGHTS = "rctd_weights"
COUNTS = "counts"
LOGNORM = "lognorm_counts"
LOGNORM_CELLTYPIST = "lognorm_counts_celltypist"
AGGREGATION = "vhd_aggregation"
SIGNATURES = "signatures"

# Files of a run folder
STORE = "sample.zarr"
LEDGER = "ledger.sqlite"
RUN_FILE = "run.json"
LOG_FILE = "run.log"
FIGURES = "figures"
REPORT = "report.html"
NOVAE_MODEL = "model"
SEGMENTED_H5AD = "segmented.h5ad"
VIEW_FILE = "view.json"


def reviewed(column: str) -> str:
    """Column with the reviewed labels of a computed one."""
    return f"{column}_reviewed"


def reviewed_by(column: str) -> str:
    """Column that says who gave a cell its reviewed label."""
    return f"{column}_reviewed_by"


def full_image(sample_id: str) -> str:
    """Name of the full-resolution H&E element."""
    return f"{sample_id}_full_image"


def hires_image(sample_id: str) -> str:
    """Name of Space Ranger's high-resolution overview picture."""
    return f"{sample_id}_hires_image"


def lowres_image(sample_id: str) -> str:
    """Name of Space Ranger's low-resolution overview picture."""
    return f"{sample_id}_lowres_image"


def bin_shapes(sample_id: str, size_um: int) -> str:
    """Name of the squares of one bin size (µm)."""
    return f"{sample_id}_{bin_table(size_um)}"


def bin_table(size_um: int) -> str:
    """Name of the count table of one bin size (µm)."""
    return f"square_{size_um:03d}um"


def boundaries(kind: str) -> str:
    """Name of the cell boundaries of one method, ``"stardist"`` or ``"proseg"``."""
    return {"stardist": STARDIST, "proseg": PROSEG}[kind]


def domains(number: int) -> str:
    """Column with the given number of spatial domains."""
    return f"novae_domains_{number}"


def latent(number: int) -> str:
    """Latent representation kept beside the domains of that number."""
    return f"{LATENT}_{number}"


def score(signature: str) -> str:
    """Column of a signature's score (smoothed as configured)."""
    return f"{signature}_score"


def raw_score(signature: str) -> str:
    """Column of a signature's score without smoothing."""
    return f"{signature}_score_raw"


def proportion(cell_type: str) -> str:
    """Column of a cell type's RCTD proportion in a bin."""
    return f"prop_{cell_type}"


def flashdeconv(cell_type: str) -> str:
    """Column of a cell type's FlashDeconv proportion in a bin."""
    return f"flashdeconv_{cell_type}"


def ranking_csv(clustering_col: str) -> str:
    """File of the ranking of signatures in each domain."""
    return f"enrichment_ranking_{clustering_col}.csv"


def clustered_h5ad(sample_id: str) -> str:
    """File of the cells with their domains."""
    return f"{sample_id}_clustered.h5ad"


def annotated_h5ad(sample_id: str) -> str:
    """File of the cells with their cell types."""
    return f"{sample_id}_annotated.h5ad"
