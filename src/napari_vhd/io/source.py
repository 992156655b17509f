"""What is computed of the sample that is open, whatever it is opened from; only ever read.

A run folder, a Space Ranger folder that is looked at, or a SpatialData store that others wrote:
each is a `Source`. What is not there is None or empty, never an error. All geometry is in
full-resolution px (corner convention). Nothing here writes, and heavy parts are read when asked
for; any thread may ask.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from geopandas import GeoDataFrame
    from numpy.typing import NDArray
    from spatialdata import SpatialData

    from .source_bins import Bins
    from .source_image import Pixels, Pyramid

    Outlined = tuple[list[str], Iterator[NDArray[Any]], pd.DataFrame]
    Overview = tuple[Pixels, float, tuple[float, float]]

Kind = Literal["run", "zarr", "space_ranger"]
_ZARR_FILES = ("zarr.json", ".zgroup")


class Source(ABC):
    """Computed data of one sample. Get one with `open_source`.

    Attributes
    ----------
    path
        What was opened.
    kind
        ``"run"``, ``"zarr"`` or ``"space_ranger"``.
    sample_id
        Id of the sample; names the frame of full-resolution px.
    um_per_px
        Side of a full-resolution pixel in µm, None where nothing says it.
    typed
        Name of the boundaries whose cells `obs` describes, None where there are no cells.
    notices
        What a user should know about it, a sentence each: for example, that a file it names is
        gone.
    image_path
        File of the slide's H&E in or beside a Space Ranger folder, None elsewhere.
    """

    kind: ClassVar[Kind]
    path: Path
    sample_id: str
    um_per_px: float | None
    typed: str | None
    notices: tuple[str, ...]
    image_path: Path | None = None

    @abstractmethod
    def image(self) -> Pyramid | None:
        """Open the full-resolution H&E: of the run's region, or of the slide."""

    def slide_image(self) -> Pyramid | None:
        """Open the H&E of the whole slide, where `image` holds a region of it only."""
        return None

    @abstractmethod
    def hires(self) -> Overview | None:
        """Read the overview picture of the slide.

        Returns
        -------
        pixels, scale, origin
            (y, x, 3) uint8; full-resolution px that a pixel spans; (x, y) of its corner.
        """

    @abstractmethod
    def segmentation_names(self) -> tuple[str, ...]:
        """Name the cell boundaries that are there, those that `obs` describes first."""

    @abstractmethod
    def outlines(self, name: str) -> Outlined:
        """Read cell boundaries.

        Returns
        -------
        ids, geometries, columns
            Text ids; shapely geometries in full-resolution px, array after array, vertices
            untouched where the store has them so, None where there is no area; what else is known
            of each (``probability``, ``area_um2``, ``nucleus_id`` …), in the same order.

        Raises
        ------
        BadInputError
            Where there are none of that name, or they cannot be read.
        """

    def epoch(self, name: str) -> int:
        """Version of the store in which these boundaries were made, 0 where it has none."""
        return 0

    @abstractmethod
    def bins(self, size_um: int) -> Bins | None:
        """Open the bins of one size; None where there are none.

        Of a run of a region: 8 and 16 µm of the whole slide, as long as the Space Ranger folder
        is where `run.json` says; 2 µm of the region.
        """

    def obs(self) -> pd.DataFrame:
        """Read the cells' table without its counts; the index is the cell id."""
        import pandas as pd

        return pd.DataFrame(index=pd.Index([], dtype=str))

    def uns_colors(self, column: str) -> tuple[str, ...]:
        """Colours recorded for the categories of a column of `obs`; empty: none are."""
        return ()

    def obsm(self, name: str) -> Any:
        """Read an array by cell, in the order of `obs`; None where there is none."""
        return None

    def genes(self) -> tuple[str, ...]:
        """Name the genes that cells were counted for."""
        return ()

    def gene(self, symbol: str) -> NDArray[np.float32]:
        """Read the counts of one gene in each cell of `obs`; slow, not for the GUI thread."""
        return np.zeros(len(self.obs()), dtype=np.float32)

    def regions(self) -> GeoDataFrame | None:
        """Read the regions that were drawn and are part of the store; index: their names."""
        return None

    def sdata(self) -> SpatialData | None:
        """Open the store for other tools; heavy. None where there is no store."""
        return None

    def table_path(self, name: str) -> Path | None:
        """Folder of a table in the store (an anndata zarr group), None where there is none."""
        return None

    def close(self) -> None:  # noqa: B027  (most have nothing to let go of)
        """Let go of what is read. Nothing may be asked of it afterwards."""


def open_source(path: str | Path) -> Source:
    """Open what a path holds.

    Parameters
    ----------
    path
        A run folder, its ``sample.zarr``, a Space Ranger folder (or the folder that holds its
        ``outs``), or a SpatialData store of Visium HD.

    Raises
    ------
    BadInputError
        In one sentence: it is none of these, or cannot be read.
    """
    path = Path(path).expanduser().absolute()
    kind = kind_of(path)
    if not path.exists():
        raise BadInputError(f"{path}: there is no such file or folder; check the path.")
    with readable(path):
        if kind == "run":
            from .source_run import RunSource

            return RunSource(run_folder(path))
        if kind == "zarr":
            from .source_zarr import ZarrSource

            return ZarrSource(path)
        if kind == "space_ranger":
            from .source_space_ranger import SpaceRangerSource

            return SpaceRangerSource(path)
    raise BadInputError(
        f"{path}: neither a run folder ({keys.RUN_FILE}), a Space Ranger folder (outs) nor a "
        "SpatialData store (zarr); check the path."
    )


def kind_of(path: Path) -> Kind | None:
    """Tell what a path holds from the names of files alone; None: nothing of ours. Never raises."""
    with contextlib.suppress(OSError):
        if (run_folder(path) / keys.RUN_FILE).is_file():
            return "run"
        if any((path / name).is_file() for name in _ZARR_FILES):
            return "zarr"
        if (outs_folder(path) / "binned_outputs").is_dir():
            return "space_ranger"
    return None


def run_folder(path: Path) -> Path:
    """Give the run folder of a path: itself, or the one whose store it is."""
    own = path.name == keys.STORE and (path.parent / keys.RUN_FILE).is_file()
    return path.parent if own else path


def outs_folder(path: Path) -> Path:
    """Give the Space Ranger folder of a path: itself, or the ``outs`` in it."""
    return path / "outs" if (path / "outs").is_dir() else path


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what libraries raise on damaged files into a sentence.

    Raises
    ------
    BadInputError
        Naming the path.
    """
    try:
        yield
    except BadInputError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines()
        detail = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        raise BadInputError(
            f"{path}: cannot be read ({detail[:200]}); restore it from a copy, or run it again."
        ) from error
