"""A Space Ranger folder as a source: the slide's picture and bins, and nothing is written."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from napari_vhd.exceptions import BadInputError

from . import outs
from .source import Kind, Source, outs_folder, readable
from .source_bins import Bins, scale_factors, slide_bins
from .source_image import Pyramid, file_pyramid, read_overview
from .space_ranger import check_bins

if TYPE_CHECKING:
    from pathlib import Path

    from .source import Outlined, Overview


class SpaceRangerSource(Source):
    """A Space Ranger folder that is looked at.

    Parameters
    ----------
    path
        The folder, or the one that holds its ``outs``.
    sample_id
        Id of the sample; None: the folder's name.
    image
        Full-resolution H&E; None: looked for as sopa does.

    Attributes
    ----------
    outs
        The folder that holds ``binned_outputs``.
    image_path
        The full-resolution H&E, None where none was found.
    """

    kind: ClassVar[Kind] = "space_ranger"

    def __init__(self, path: Path, sample_id: str | None = None, image: Path | None = None) -> None:
        self.path = path
        self.outs = outs_folder(path)
        self.sample_id = sample_id or sample_name(self.outs)
        self.um_per_px, self._n_bins = check_bins(self.outs)
        self.typed = None
        self.notices = ()
        self.image_path = image
        if image is None:
            try:
                self.image_path = _find_image(self.outs)
            except BadInputError as error:
                self.notices = (f"Only the overview picture is shown: {error}",)

    def image(self) -> Pyramid | None:
        """Open the H&E of the slide."""
        return self._pyramid

    @cached_property
    def _pyramid(self) -> Pyramid | None:
        if self.image_path is None:
            return None
        overview = self.hires()
        with readable(self.image_path):
            return file_pyramid(self.image_path, None if overview is None else overview[0])

    def hires(self) -> Overview | None:
        """Read the overview picture of the slide."""
        return self._hires

    @cached_property
    def _hires(self) -> Overview | None:
        factors = scale_factors(self.outs)
        for kind in ("hires", "lowres"):
            found = sorted((self.outs / "spatial").glob(f"*tissue_{kind}_image.png"))
            factor = factors.get(f"tissue_{kind}_scalef")
            if found and factor:
                with readable(found[0]):
                    return read_overview(found[0]), 1 / factor, (0.0, 0.0)
        return None

    def segmentation_names(self) -> tuple[str, ...]:
        """Name no boundaries: none are computed yet."""
        return ()

    def outlines(self, name: str) -> Outlined:
        """Refuse: there are no boundaries.

        Raises
        ------
        BadInputError
            Always.
        """
        raise BadInputError(f"{self.path}: holds no {name}; run the segmentation first.")

    def bins(self, size_um: int) -> Bins | None:
        """Open the bins of the slide."""
        if size_um not in self._n_bins:
            return None
        with readable(outs.bin_folder(self.outs, size_um)):
            return slide_bins(self.outs, size_um)


def sample_name(folder: Path) -> str:
    """Name a sample by the folder that holds its ``outs``."""
    return folder.parent.name if folder.name == "outs" else folder.name


def _find_image(folder: Path) -> Path:
    """Find the H&E as sopa does, or beside ``outs``, where downloads often leave it."""
    try:
        return outs.find_image(folder, None)
    except BadInputError:
        beside = sorted(folder.parent.glob("*tissue_image.*")) if folder.name == "outs" else []
        if len(beside) != 1:
            raise
        return beside[0]
