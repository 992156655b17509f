"""What is in a Space Ranger folder, known from headers alone.

Nothing heavy is imported or read here, so that bad input is found before any work.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

from .fullres_image import ImageHeader, check_image
from .outs import (
    BINNED,
    MATRIX,
    POSITIONS,
    SCALE_FACTORS,
    bin_folder,
    find_feature_slice,
    find_image,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

POSITION_COLUMNS = (
    "barcode",
    "in_tissue",
    "array_row",
    "array_col",
    "pxl_row_in_fullres",
    "pxl_col_in_fullres",
)
# Tissue may be cut by the rim of the picture; a picture of another size leaves far more outside.
_OUTSIDE_SHARE = 0.01


@dataclass(frozen=True)
class Checked:
    """What is known of a Space Ranger folder before it is read.

    Attributes
    ----------
    outs
        The folder that holds ``binned_outputs``.
    image
        The full-resolution H&E.
    microns_per_pixel
        Of the full-resolution H&E.
    bins
        Bin size (µm) to number of bins under tissue.
    genes
        Gene names as in the 2 µm counts, in their order.
    """

    outs: Path
    image: ImageHeader
    microns_per_pixel: float
    bins: Mapping[int, int]
    genes: tuple[str, ...]

    @property
    def duplicate_genes(self) -> tuple[str, ...]:
        """Gene names that stand for several genes; made unique when read."""
        return tuple(sorted(name for name, n in Counter(self.genes).items() if n > 1))


def check_outs(
    outs: Path, sample_id: str, image: str | Path | None, needed: Iterable[int] = (2,)
) -> Checked:
    """Check a Space Ranger folder and its image, by headers only.

    Parameters
    ----------
    outs
        The folder that holds ``binned_outputs``.
    sample_id
        Id of the sample, for messages.
    image
        Full-resolution H&E, or None: looked for as sopa does.
    needed
        Bin sizes (µm) that must be there.

    Raises
    ------
    BadInputError
        Naming the file, what is wrong with it and the mend.
    """
    if not outs.is_dir() or not any(outs.iterdir()):
        raise BadInputError(
            f"{outs}: the Space Ranger folder of sample {sample_id!r} is missing or empty; check "
            "spaceranger_outs."
        )
    scale, bins = check_bins(outs, {2, *needed})
    header = check_image(find_image(outs, image))
    _check_cover(bin_folder(outs, max(bins)), header)
    return Checked(outs, header, scale, bins, _gene_names(bin_folder(outs, 2) / MATRIX))


def check_bins(outs: Path, needed: Iterable[int] = ()) -> tuple[float, dict[int, int]]:
    """Check the bins of a Space Ranger folder, by headers only.

    Parameters
    ----------
    outs
        The folder that holds ``binned_outputs``.
    needed
        Bin sizes (µm) that must be there; one at least always must.

    Returns
    -------
    microns_per_pixel, bins
        Of the full-resolution H&E; bin size (µm) to number of bins under tissue.

    Raises
    ------
    BadInputError
        Naming the file, what is wrong with it and the mend.
    """
    _check_feature_slice(find_feature_slice(outs))
    sizes = [size for size in keys.BIN_SIZES_UM if bin_folder(outs, size).is_dir()]
    for size in sorted(set(needed) or ({2} - set(sizes) if not sizes else set())):
        if size not in sizes:
            raise BadInputError(
                f"{bin_folder(outs, size)}: there are no {size} µm bins, which this run needs; "
                "copy the whole outs folder of Space Ranger."
            )
    scales = {size: _microns_per_pixel(bin_folder(outs, size), size) for size in sizes}
    if not all(math.isclose(s, scales[sizes[0]], rel_tol=1e-3) for s in scales.values()):
        listed = ", ".join(f"{scale:.6g} at {size} µm" for size, scale in scales.items())
        raise BadInputError(
            f"{outs / BINNED}: microns_per_pixel differs between the bin sizes ({listed}); copy "
            "all of them from one Space Ranger run."
        )
    return scales[sizes[0]], {size: _count_bins(bin_folder(outs, size)) for size in sizes}


def _check_feature_slice(path: Path) -> None:
    """Check the only attribute of the feature slice that is read."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            layout = json.loads(json.loads(file.attrs["metadata_json"])["hd_layout_json"])
            version = layout["file_format"]
    except OSError as error:
        raise BadInputError(f"{path}: is no HDF5 file; copy it again, whole.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"{path}: its attribute metadata_json, which Space Ranger writes, is missing or "
            "damaged; copy the file again."
        ) from error
    if version != "1.0":
        raise BadInputError(f"{path}: file_format {version!r} is not known; 1.0 is.")


def _microns_per_pixel(folder: Path, size_um: int) -> float:
    """Read and check the scale factors of one bin size."""
    path = folder / SCALE_FACTORS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        found = float(values["bin_size_um"])
        spot = float(values["spot_diameter_fullres"])
        scale = float(values["microns_per_pixel"])
        overviews = [float(values[f"tissue_{kind}_scalef"]) for kind in ("hires", "lowres")]
    except OSError as error:
        raise BadInputError(f"{path}: is missing; copy the whole outs folder.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"{path}: is damaged ({error}); copy it again from Space Ranger."
        ) from error
    if not all(0 < value < math.inf for value in (spot, scale, *overviews)):
        raise BadInputError(f"{path}: scale factors must be above 0; copy it again.")
    if found != size_um:
        raise BadInputError(f"{path}: bin_size_um is {found:g}, not {size_um}; copy it again.")
    if not math.isclose(found / spot, scale, rel_tol=1e-5):
        raise BadInputError(
            f"{path}: microns_per_pixel is {scale:g}, but bin_size_um / spot_diameter_fullres is "
            f"{found / spot:g}; copy it again from Space Ranger."
        )
    return scale


def _count_bins(folder: Path) -> int:
    """Count the bins of one size; check the counts and positions that belong to them."""
    import h5py
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / MATRIX
    if not path.is_file():
        raise BadInputError(f"{path}: is missing; copy the whole outs folder.")
    try:
        with h5py.File(path, "r") as file:
            matrix = file["matrix"]
            n_genes, n_bins = (int(n) for n in matrix["shape"][:])
            lengths = matrix["barcodes"].shape[0], matrix["indptr"].shape[0] - 1
            names, kinds = (matrix[f"features/{key}"].shape[0] for key in ("name", "feature_type"))
            entries = matrix["data"].shape[0], matrix["indices"].shape[0]
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise BadInputError(
            f"{path}: is no whole Space Ranger matrix ({error}); copy it again."
        ) from error
    if lengths != (n_bins, n_bins) or {names, kinds} != {n_genes} or entries[0] != entries[1]:
        raise BadInputError(f"{path}: its parts differ in length; copy it again.")
    if n_bins == 0 or n_genes == 0:
        raise BadInputError(f"{path}: holds {n_bins} bins and {n_genes} genes; nothing to analyse.")
    path = folder / POSITIONS
    if not path.is_file():
        raise BadInputError(f"{path}: is missing; copy the whole outs folder.")
    try:
        parquet = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInputError(f"{path}: is no parquet file; copy it again, whole.") from error
    with parquet:
        columns, rows = tuple(parquet.schema_arrow.names), parquet.metadata.num_rows
    if columns != POSITION_COLUMNS:
        raise BadInputError(
            f"{path}: has the columns {', '.join(columns)}, not {', '.join(POSITION_COLUMNS)}; "
            "copy it again from Space Ranger."
        )
    if rows < n_bins:
        raise BadInputError(
            f"{path}: has {rows} bins where {MATRIX} has {n_bins}; copy both from one run."
        )
    return n_bins


def _check_cover(folder: Path, image: ImageHeader) -> None:
    """Raise where bins under tissue lie outside the image."""
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    columns = ["in_tissue", "pxl_row_in_fullres", "pxl_col_in_fullres"]
    table = pq.read_table(folder / POSITIONS, columns=columns)
    table = table.filter(pc.equal(table["in_tissue"], 1))
    x, y = (table[f"pxl_{axis}_in_fullres"].to_numpy() for axis in ("col", "row"))
    if len(x) == 0:
        raise BadInputError(f"{folder / POSITIONS}: no bin is under tissue (in_tissue).")
    outside = (x < 0) | (y < 0) | (x > image.width) | (y > image.height)
    if np.mean(outside) > _OUTSIDE_SHARE:
        raise BadInputError(
            f"{image.path}: is {image.width} x {image.height} px, but the bins reach to "
            f"{x.max():.0f} x {y.max():.0f} px; give the full-resolution microscope image that "
            "Space Ranger was given, not a smaller copy."
        )


def _gene_names(path: Path) -> tuple[str, ...]:
    """Names of the genes in a 10x matrix."""
    import h5py

    with h5py.File(path, "r") as file:
        features = file["matrix/features"]
        expression = features["feature_type"][:] == b"Gene Expression"
        return tuple(name.decode() for name in features["name"][:][expression])
