"""Small run folders, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tiny_stages

from napari_vhd.config import RunConfig
from napari_vhd.io.publishing import Provenance
from napari_vhd.io.store import RunStore
from napari_vhd.stages.stage import Outcome, TablePatch

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Provenance()


def make_store(folder: Path) -> RunStore:
    outs = folder / "outs"
    outs.mkdir(exist_ok=True)
    config = RunConfig.from_dict(
        {"paths": {"spaceranger_outs": str(outs)}, "samples": [{"id": "A"}]}
    )
    return RunStore.create(folder / "processed", "tiny", config, "A", outs)


def whole(**more: object) -> Outcome:
    return Outcome(elements=tiny_elements(), **more)


def tiny_elements() -> dict:
    from napari_vhd.io.publishing import quiet

    with quiet():
        return tiny_stages.tiny_elements()


def column(store: RunStore, name: str, value: float) -> Outcome:
    """A patch of one column."""
    obs = store.sdata()["table"].obs
    return Outcome(patches={"table": TablePatch(obs=obs[[]].assign(**{name: value}))})


def read_plainly(run_dir: Path) -> object:
    import spatialdata

    from napari_vhd.io.publishing import quiet

    with quiet():
        return spatialdata.read_zarr(run_dir / "sample.zarr")


def tree(folder: Path, *leave_out: str) -> dict[str, bytes]:
    """Content of every file that matters, by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", ".publish.lock", "run.log", *leave_out)
    }
