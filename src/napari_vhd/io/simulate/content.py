"""What a sample is made of: the request checked, its parts read or invented and fitted together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_vhd.config import check_name
from napari_vhd.exceptions import BadInputError
from napari_vhd.io.simulate.counts.expression import Expression, InventedExpression
from napari_vhd.io.simulate.counts.reference import RealCells, RealExpression, read_reference
from napari_vhd.io.simulate.real.layout import BIN_UM, Plan, read_layout
from napari_vhd.io.simulate.real.names import TypeChooser
from napari_vhd.io.simulate.real.picture import Picture, read_picture
from napari_vhd.io.simulate.scene import DEFAULT_MPP, Scene, invent_scene, real_scene, thin
from napari_vhd.io.simulate.tissue.celltypes import NAMES, TYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_TYPE_COLUMN = "ClusterMidway"
_LIMITS = {"size_px": (500, 20_000), "genes": (200, 20_000), "seed": (0, 2**31 - 1)}
_MOST_UMIS_PER_BIN = 1000.0


@dataclass(frozen=True)
class Request:
    """The arguments of `simulate`."""

    out: Path
    size_px: int
    cells: int | None
    genes: int
    seed: int
    umis_per_bin: float
    sample_id: str
    picture: Path | None
    reference: Path | None
    cell_type_col: str | None
    layout: Path | None

    @property
    def type_column(self) -> str:
        """Column of cell types in the reference."""
        return self.cell_type_col or DEFAULT_TYPE_COLUMN

    def check(self) -> None:
        """Refuse what can be known to be wrong before any file is read.

        Raises
        ------
        BadInputError
            Naming the value and the mend.
        """
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise BadInputError(f"{self.out} exists and is not an empty folder; name a new one.")
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise BadInputError(f"{name} is {getattr(self, name)}; choose {low} to {high}.")
        if self.cells is not None and self.cells < 1:
            raise BadInputError(f"cells is {self.cells}; choose 1 or more, or leave it out.")
        if not 0 < self.umis_per_bin <= _MOST_UMIS_PER_BIN:
            raise BadInputError(
                f"umis_per_bin is {self.umis_per_bin}; choose more than 0, at most "
                f"{_MOST_UMIS_PER_BIN:g}."
            )
        check_name(self.sample_id, "sample_id")
        for name in ("picture", "reference", "layout"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise BadInputError(f"{path}: there is no such file; mend the {name}.")


@dataclass(frozen=True)
class Content:
    """Everything a sample is made from.

    Attributes
    ----------
    scene
        Picture and cells.
    cell_type
        Number of each cell's type in `expression.type_names`.
    expression
        What the types express.
    held_out
        The half of a real reference that is written, None where it is invented.
    """

    scene: Scene
    cell_type: NDArray[np.int64]
    expression: Expression
    held_out: RealCells | None


def compose(request: Request) -> Content:
    """Read or invent the parts of a sample and fit them together.

    Raises
    ------
    BadInputError
        If a part cannot be used.
    """
    seed = request.seed
    real = held_out = None
    expression: Expression
    if request.reference is not None:
        real, held_out = read_reference(Path(request.reference), request.type_column).split(seed)
        expression = RealExpression(real)
    else:
        expression = InventedExpression(request.genes, seed)
    chooser = TypeChooser(expression.type_names, _abundance(real))
    picture = _picture(request)
    plan, options = _plan(request, picture, chooser)
    if picture is None:
        scene = invent_scene(request.size_px, seed, plan)
    else:
        scene = real_scene(picture, seed, plan)
    if request.cells is not None:
        scene = _thinned(scene, request.cells, seed)
    if not len(scene.cells):
        raise BadInputError(f"{request.picture}: no nuclei were found; give an H&E picture.")
    rng = np.random.default_rng((seed, 23))
    if plan is not None:
        cells = scene.cells
        rows, cols = ((v * scene.mpp).astype(int) // BIN_UM for v in (cells.y, cells.x))
        types = chooser.choose(rng, plan.codes[rows, cols], options)
    elif real is not None:
        kinds = scene.cells.kind.astype(np.int64)
        types = chooser.choose(rng, kinds, [chooser.types_of_kind(k) for k in range(len(TYPES))])
    else:
        types = scene.cells.kind.astype(np.int64)
    return Content(scene, types, expression, held_out)


def _abundance(real: RealCells | None) -> NDArray[np.float64]:
    if real is None:
        return np.ones(len(NAMES))
    return np.bincount(real.cell_type, minlength=len(real.type_names)).astype(float)


def _picture(request: Request) -> Picture | None:
    if request.picture is None:
        return None
    return read_picture(Path(request.picture), request.size_px, DEFAULT_MPP)


def _plan(
    request: Request, picture: Picture | None, chooser: TypeChooser
) -> tuple[Plan | None, list[list[int]]]:
    """Cut the layout to the sample, and find the types that each of its labels means."""
    if request.layout is None:
        return None, []
    layout = read_layout(Path(request.layout))
    if picture is None:
        bins = int(np.ceil(np.ceil(request.size_px * DEFAULT_MPP) / BIN_UM))
        tissue = np.ones((bins, bins), bool)
    else:
        tissue = ndi.maximum_filter(picture.depth > 0, BIN_UM)[::BIN_UM, ::BIN_UM]
    window = layout.window(tissue, Path(request.layout), request.seed)
    options = [chooser.types_of_label(label) for label in layout.labels]
    usable = np.array([*(bool(types) for types in options), False])
    if not usable[window.codes].any():
        raise BadInputError(
            f"{request.layout}: none of its labels ({', '.join(layout.labels[:5])} ...) means a "
            "cell type known here; name them as in the reference."
        )
    return window.plan(usable), options


def _thinned(scene: Scene, cells: int, seed: int) -> Scene:
    if cells > len(scene.cells):
        raise BadInputError(
            f"cells is {cells}, but this tissue holds {len(scene.cells)}; "
            "choose fewer, leave it out, or make size_px larger."
        )
    return thin(scene, cells, seed)
