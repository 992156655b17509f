"""What lies where in a Space Ranger folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

FEATURE_SLICE = "feature_slice.h5"
BINNED = "binned_outputs"
MATRIX = "filtered_feature_bc_matrix.h5"
POSITIONS = "spatial/tissue_positions.parquet"
SCALE_FACTORS = "spatial/scalefactors_json.json"


def find_outs(spaceranger_outs: Path, sample_id: str, single: bool) -> Path:
    """Find the Space Ranger folder of a sample.

    Parameters
    ----------
    spaceranger_outs
        As in the config: holds ``<id>/outs`` or ``<id>/binned_outputs``; for a `single` sample it
        may also hold ``outs`` or ``binned_outputs`` itself.
    sample_id
        Id of the sample.
    single
        Whether the config names one sample only.

    Raises
    ------
    BadInputError
        Naming every folder that was tried.
    """
    sample = spaceranger_outs / sample_id
    if (sample / "outs").is_dir():
        return sample / "outs"
    tried = [sample / "outs", sample]
    if single:
        tried += [spaceranger_outs / "outs", spaceranger_outs]
    for folder in tried:
        if (folder / BINNED).is_dir():
            return folder
    names = ", ".join(map(str, tried))
    raise BadInputError(
        f"{spaceranger_outs}: no {BINNED} of sample {sample_id!r} in {names}; set spaceranger_outs "
        "to the folder that holds <id>/outs."
    )


def find_image(outs: Path, image: str | Path | None) -> Path:
    """Give the full-resolution image: the given one, or where Space Ranger's users keep it.

    Raises
    ------
    BadInputError
        Where there is none, or several and none was chosen.
    """
    if image is not None:
        return Path(image)
    folder = outs / "microscope_image"
    prefix = find_feature_slice(outs).name.removesuffix(FEATURE_SLICE)
    found = (
        [file for file in sorted(folder.iterdir()) if file.is_file() and file.name[0] != "."]
        if folder.is_dir()
        else sorted(outs.glob(f"{prefix}tissue_image.*"))
    )
    if len(found) == 1:
        return found[0]
    where = f"{folder} or {outs}/{prefix}tissue_image.*"
    if found:
        names = ", ".join(file.name for file in found)
        raise BadInputError(
            f"{found[0].parent}: several images ({names}); name one as fullres_image."
        )
    raise BadInputError(f"no full-resolution image in {where}; name it as fullres_image.")


def find_feature_slice(outs: Path) -> Path:
    """Find the feature slice, with or without a prefix."""
    plain = outs / FEATURE_SLICE
    found = [plain] if plain.is_file() else sorted(outs.glob(f"*_{FEATURE_SLICE}"))
    if not found:
        raise BadInputError(
            f"{outs}: holds no {FEATURE_SLICE}; give the outs folder of a Visium HD run, whole."
        )
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise BadInputError(f"{outs}: holds several samples ({names}); keep one a folder.")
    return found[0]


def bin_folder(outs: Path, size_um: int) -> Path:
    """Folder of the bins of one size (µm)."""
    return outs / BINNED / keys.bin_table(size_um)


def input_files(outs: Path, image: str | Path | None) -> list[Path]:
    """Name every file of a checked folder that `read` looks at, and the image."""
    overviews = sorted((outs / "spatial").glob("*tissue_*res_image.png"))
    binned = [
        bin_folder(outs, size) / name
        for size in keys.BIN_SIZES_UM
        for name in (MATRIX, POSITIONS, SCALE_FACTORS)
    ]
    found = [find_feature_slice(outs), *binned, *overviews, find_image(outs, image)]
    return [file for file in found if file.is_file()]


def bins_inside(
    outs: Path, size_um: int, box: tuple[float, float, float, float]
) -> tuple[Any, Any]:
    """Give the centres of bins under tissue within a box, read from ``tissue_positions.parquet``.

    Parameters
    ----------
    outs
        The folder that holds ``binned_outputs``.
    size_um
        Size of the bins.
    box
        (xmin, ymin, xmax, ymax), full-resolution px.

    Returns
    -------
    x, y
        float arrays, full-resolution px.
    """
    import pyarrow.parquet as pq

    xmin, ymin, xmax, ymax = box
    table = pq.read_table(
        bin_folder(outs, size_um) / POSITIONS,
        columns=["pxl_col_in_fullres", "pxl_row_in_fullres"],
        filters=[
            ("in_tissue", "=", 1),
            ("pxl_col_in_fullres", ">=", xmin),
            ("pxl_col_in_fullres", "<=", xmax),
            ("pxl_row_in_fullres", ">=", ymin),
            ("pxl_row_in_fullres", "<=", ymax),
        ],
    )
    return table["pxl_col_in_fullres"].to_numpy(), table["pxl_row_in_fullres"].to_numpy()


def count_umis(outs: Path, size_um: int) -> int:
    """Sum the counts of all bins of one size, in pieces."""
    import h5py

    with h5py.File(bin_folder(outs, size_um) / MATRIX, "r") as file:
        data = file["matrix/data"]
        step = 10_000_000
        return sum(int(data[i : i + step].sum()) for i in range(0, data.shape[0], step))
