"""What is here, what is missing, and the command that mends it."""

from __future__ import annotations

import shutil
import sys
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_vhd.exceptions import VhdError
from napari_vhd.io import models, proseg_binary, rctd_tables
from napari_vhd.runner import failures
from napari_vhd.stages import estimates, pipeline, proseg, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_vhd.config import RunConfig

Status = Literal["ok", "missing", "optional"]

# Engine -> extra that installs it.
ENGINES = {
    "stardist": "stardist",
    "novae": "novae",
    "flashdeconv": "deconvolution",
    "rctd-py": "deconvolution",
    "celltypist": "celltypist",
    "enrichmap": "enrichmap",
    "scmags": "enrichmap",
    "distributed": "cluster",
    "PyQt6": "pyqt6",
}
# Enough for a region of 5,000 x 5,000 px with 10,000 cells, as measured in benchmarks/results.md.
COMFORTABLE_MEMORY_GB = 16
COMFORTABLE_DISK_GB = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what
        What it is.
    status
        ``ok``, ``missing`` (something will not run) or ``optional`` (made or fetched when used).
    detail
        What was found, or why it matters.
    mend
        The command that adds it; empty where nothing is to be done.
    """

    what: str
    status: Status
    detail: str
    mend: str = ""


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] == (3, 11):
        return Finding("Python", "ok", found)
    return Finding("Python", "optional", f"{found}; 3.11 was tested", "make venv")


def _screen() -> Finding:
    libraries = {
        "GL": "libgl1",
        "EGL": "libegl1",
        "xkbcommon-x11": "libxkbcommon-x11-0",
        "xcb-cursor": "libxcb-cursor0",
    }
    missing = [package for name, package in libraries.items() if find_library(name) is None]
    if sys.platform == "linux" and missing:
        mend = f"apt-get install -y {' '.join(missing)}"
        return Finding("Qt and OpenGL", "missing", "system libraries for the window", mend)
    return Finding("Qt and OpenGL", "ok", "system libraries are here")


def _engines() -> Iterator[Finding]:
    for package, extra in ENGINES.items():
        try:
            yield Finding(package, "ok", version(package))
        except PackageNotFoundError:
            mend = f"pip install 'napari-vhd[{extra}]'"
            yield Finding(package, "missing", "not installed", mend)


def missing_engines() -> list[str]:
    """Name what stages compute with and is not installed."""
    beside = {"cluster", "pyqt6"}
    found = [one for one in _engines() if ENGINES[one.what] not in beside]
    return [one.what for one in (*found, _proseg()) if one.status == "missing"]


def _proseg() -> Finding:
    try:
        path = proseg_binary.find_proseg()
    except VhdError as error:
        return Finding("proseg", "missing", str(error), "make venv")
    found = proseg_binary.proseg_version()
    if found != proseg_binary.VERSION:
        detail = f"{found or 'no answer'} at {path}; {proseg_binary.VERSION} was tested"
        return Finding("proseg", "optional", detail, "make venv")
    return Finding("proseg", "ok", f"{found} at {path}")


def _weights() -> Iterator[Finding]:
    checks: dict[str, tuple[Callable[[], object], str]] = {
        f"StarDist {models.SHIPPED}": (
            lambda: models.check_stardist(models.SHIPPED),
            "reinstall napari-vhd",
        ),
        f"StarDist {models.PRETRAINED_STARDIST}": (
            lambda: models.check_stardist(models.PRETRAINED_STARDIST),
            f"params: stardist_model: {models.SHIPPED}",
        ),
        "Novae MICS-Lab/novae-human-0": (
            lambda: models.check_novae("MICS-Lab/novae-human-0"),
            "params: novae_model: null",
        ),
    }
    for what, (check, mend) in checks.items():
        try:
            check()
        except VhdError as error:
            yield Finding(what, "optional", str(error), mend)
        else:
            yield Finding(what, "ok", "here, or can be downloaded")


def _rctd_tables() -> Finding:
    try:
        built = sorted(rctd_tables.cache_folder().glob("*.npz"))
    except PackageNotFoundError:
        built = []
    if built:
        return Finding("RCTD tables", "ok", ", ".join(str(path) for path in built))
    return Finding("RCTD tables", "optional", "made when RCTD first runs (under a minute)")


def _memory(folder: Path) -> Iterator[Finding]:
    import psutil

    total = psutil.virtual_memory().total / 2**30
    free = psutil.virtual_memory().available / 2**30
    detail = f"{free:.0f} of {total:.0f} GB free"
    if total < COMFORTABLE_MEMORY_GB:
        mend = f"choose regions; {COMFORTABLE_MEMORY_GB} GB carry 5,000 x 5,000 px"
        yield Finding("Memory", "optional", detail, mend)
    else:
        yield Finding("Memory", "ok", f"{detail}; doctor CONFIG tells what a sample needs")
    space = shutil.disk_usage(folder).free / 2**30
    detail = f"{space:.0f} GB free at {folder}"
    if space < COMFORTABLE_DISK_GB:
        mend = f"free {COMFORTABLE_DISK_GB} GB, or set paths: processed to another disk"
        yield Finding("Disk", "missing", detail, mend)
    else:
        yield Finding("Disk", "ok", detail)


def _existing(config: RunConfig | None) -> Path:
    """Find the folder that is there of where the run folders of a config would go."""
    if config is None:
        return Path.cwd()
    place = Path(config.paths.processed)
    return next(path for path in (place, *place.parents) if path.is_dir())


def _need(config: RunConfig) -> Iterator[Finding]:
    """Hold the free memory against what each estimated stage will need."""
    free = failures.free_memory()
    for inputs in pipeline.inputs_of(config):
        sample = inputs.sample
        read.STAGE.check(inputs)
        for stage, need in estimates.memory_of(inputs).items():
            what = f"Memory for {stage}, {sample.id}"
            detail = f"about {need / 2**30:.1f} GB, {free / 2**30:.1f} GB are free"
            if need > failures.MEMORY_SHARE * free:
                mend = "samples: region: [xmin, ymin, xmax, ymax] of a smaller region"
                if stage == proseg.STAGE.name:
                    mend += ", or params: boundaries_to_type: stardist"
                yield Finding(what, "missing", detail, mend)
            else:
                yield Finding(what, "ok", detail)


def examine(folder: Path | None = None, config: RunConfig | None = None) -> list[Finding]:
    """Look at everything that a run needs.

    Parameters
    ----------
    folder
        Where run folders would go; its disk is looked at. None: as the config says, or here.
    config
        A run, with absolute paths: memory is held against what its samples will need.

    Raises
    ------
    BadInputError
        Where a sample of the config cannot be read.

    Returns
    -------
    list of Finding
        In a fixed order. Nothing heavy is imported and nothing is downloaded.
    """
    return [
        _python(),
        _screen(),
        *_engines(),
        _proseg(),
        *_weights(),
        _rctd_tables(),
        *_memory(folder or _existing(config)),
        *(() if config is None else _need(config)),
    ]
