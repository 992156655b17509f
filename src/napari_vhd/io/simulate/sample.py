"""Make a Visium HD sample with known truth: picture, Space Ranger's files, reference, config."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.io.simulate.content import Request, compose
from napari_vhd.io.simulate.folder import Progress, write_sample


def simulate(
    out: Path,
    *,
    size_px: int = 1600,
    cells: int | None = None,
    genes: int = 2000,
    seed: int = 0,
    umis_per_bin: float = 11.0,
    sample_id: str = "SIM",
    picture: Path | None = None,
    reference: Path | None = None,
    cell_type_col: str | None = None,
    layout: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make a Visium HD sample whose truth is known.

    Parameters
    ----------
    out
        New or empty folder. It gets ``outs/`` (Space Ranger's files), ``tissue_image.tif``,
        ``reference.h5ad``, ``config.yaml`` and ``truth/``.
    size_px
        Edge of the picture (full-resolution px, 500 to 20,000); of a real picture, its limit.
    cells
        Number of cells; None: as many as such tissue has.
    genes
        Number of genes (200 to 20,000); with a `reference`, its genes are taken instead.
    seed
        The same arguments give the same sample.
    umis_per_bin
        Mean transcripts of a 2 um bin in tissue.
    sample_id
        Names the sample in the config file.
    picture
        Real H&E (TIFF, SVS, PNG, JPEG): its nuclei become cells.
    reference
        Real single cells (H5AD, raw counts): half of them give the transcripts, the other half
        becomes ``reference.h5ad``.
    cell_type_col
        Column of cell types in the reference (given or written); default ``ClusterMidway``.
    layout
        Real types of 8 um bins (CSV with ``barcode`` and ``DeconvolutionLabel1``).
    progress
        Called with what is being made and the share done (0 to 1).

    Returns
    -------
    The folder.

    Raises
    ------
    BadInputError
        If an argument or file cannot be used.
    StageError
        If the files cannot be written. In either case nothing is left behind.
    """
    request = Request(
        out=Path(out), size_px=size_px, cells=cells, genes=genes, seed=seed,
        umis_per_bin=umis_per_bin, sample_id=sample_id, picture=picture, reference=reference,
        cell_type_col=cell_type_col, layout=layout,
    )  # fmt: skip
    report = progress or _silent
    request.check()
    report("cells", 0.0)
    content = compose(request)
    try:
        request.out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(dir=request.out.parent, prefix=f".{request.out.name}-"))
    except OSError as error:
        raise BadInputError(
            f"{request.out} cannot be made ({error.strerror}); name a folder that can be written."
        ) from error
    try:
        write_sample(staging, request, content, report)
        staging.chmod(0o755)
        if request.out.exists():
            request.out.rmdir()
        staging.rename(request.out)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError):
            raise StageError(
                f"{request.out} could not be written ({error.strerror or error}); "
                "free some disk space."
            ) from error
        raise
    report("done", 1.0)
    return request.out


def _silent(what: str, share: float) -> None:
    """Report to nobody."""
