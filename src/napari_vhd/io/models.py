"""Weights by name (online) or path (offline); nothing untrusted is unpickled.

Each kind of weights has the same functions: ``check_…`` raises `BadInputError` for what can be
known beforehand, without heavy imports and at most two seconds of looking for a network;
``…_files`` names the user's own files, whose content decides whether a result is out of date
(a pretrained name stands for itself).
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from napari_vhd.exceptions import BadInputError, StageError

from .unpickle import inspect_model, read_model

if TYPE_CHECKING:
    from celltypist.models import Model

SHIPPED = "vhd-he-small"
"""StarDist model for H&E that comes with napari-vhd."""
PRETRAINED_STARDIST = "2D_versatile_he"
"""The one model for H&E among those that StarDist offers for download."""
TRAIN = "train"
"""`celltypist_model` that is trained from the reference."""

_OTHER_STARDIST = ("2D_versatile_fluo", "2D_paper_dsb2018", "2D_demo")
_NOVAE_HUB = re.compile(r"(MICS-Lab|prism-oncology)/novae-[A-Za-z0-9._-]+")
_STARDIST_FILES = ("config.json", "weights_best.h5")
_NOVAE_FILES = ("config.json", "model.safetensors")
_CELLTYPIST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.pkl")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_DNS_SECONDS = 2.0


def stardist_folder(name: str) -> Path | None:
    """Folder of a StarDist model on this machine.

    Parameters
    ----------
    name
        `SHIPPED`, a folder, or the pretrained name.

    Returns
    -------
    Path or None
        Folder with ``config.json`` and ``weights_best.h5``, to be given to StarDist as a local
        model; None for a pretrained model that StarDist has yet to download.
    """
    if name == SHIPPED:
        return Path(str(files("napari_vhd.io") / "weights" / SHIPPED))
    if name == PRETRAINED_STARDIST:
        home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        cached = home / "models" / "StarDist2D" / name
        found = sorted(cached.glob("**/weights_best.h5"))
        return found[0].parent if found else None
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else None


def check_stardist(name: str) -> None:
    """Raise unless StarDist can be run with these weights.

    Raises
    ------
    BadInputError
        For an unknown name, an incomplete folder, a model that is not for 2D RGB images, and a
        pretrained model that is neither here nor to be had.
    """
    folder = stardist_folder(name)
    offline = f"use {SHIPPED!r} (shipped) or a model folder"
    if folder is not None:
        _check_stardist_folder(folder)
    elif name == PRETRAINED_STARDIST:
        if not _reachable("github.com"):
            raise BadInputError(
                f"stardist_model {name!r} is not on this machine and github.com cannot be "
                f"reached; connect once, or {offline}."
            )
    elif name in _OTHER_STARDIST:
        raise BadInputError(
            f"stardist_model {name!r} is for fluorescence, not for H&E; "
            f"use {PRETRAINED_STARDIST!r}, {SHIPPED!r} or a model folder."
        )
    else:
        raise BadInputError(
            f"stardist_model {name!r} is neither a folder nor a known model; "
            f"use {PRETRAINED_STARDIST!r}, {SHIPPED!r} or the path of a model folder."
        )


def stardist_files(name: str) -> tuple[Path, ...]:
    """Files of a shipped model or a folder; none for the pretrained name."""
    folder = None if name == PRETRAINED_STARDIST else stardist_folder(name)
    return _present(folder, (*_STARDIST_FILES, "thresholds.json"))


def novae_source(name: str | None) -> str | None:
    """Name what ``Novae.from_pretrained`` is to load.

    Parameters
    ----------
    name
        A folder, a hub name, or None.

    Returns
    -------
    str or None
        A folder where the model is on this machine (also a hub model that was downloaded
        before), else the hub name; None to train on the sample.
    """
    if name is None:
        return None
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    cached = _cached_novae(name)
    return name if cached is None else str(cached)


def check_novae(name: str | None) -> None:
    """Raise unless Novae can be run with these weights.

    Raises
    ------
    BadInputError
        For a name that is neither a folder nor one of Novae's hub models, an incomplete folder,
        and a hub model that is neither here nor to be had.
    """
    if name is None:
        return
    offline = "use the folder of a saved Novae model, or null to train on this sample"
    folder = Path(name).expanduser()
    if folder.is_dir():
        _read_json(_require(folder, _NOVAE_FILES, f"novae_model {name!r}", offline))
    elif not _NOVAE_HUB.fullmatch(name):
        raise BadInputError(
            f"novae_model {name!r} is neither a folder nor a Novae model of the Hugging Face hub "
            f"(such as 'MICS-Lab/novae-human-0'); {offline}."
        )
    elif _cached_novae(name) is None:
        host = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co").hostname or ""
        forbidden = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
        if forbidden or not _reachable(host):
            raise BadInputError(
                f"novae_model {name!r} is not on this machine and {host} cannot be reached; "
                f"connect once, or {offline}."
            )


def novae_files(name: str | None) -> tuple[Path, ...]:
    """Files of a folder; none for a hub name or None."""
    folder = Path(name).expanduser() if name else None
    return _present(folder, _NOVAE_FILES)


def check_celltypist(name: str) -> None:
    """Raise unless this CellTypist model can be had, and holds nothing but a model.

    Raises
    ------
    BadInputError
        For an unknown name, a file that is no CellTypist model or asks for more than a model
        needs, and a name that is neither here nor to be had.
    """
    if name == TRAIN:
        return
    offline = "use a model file (.pkl), or 'train' to train from the reference"
    path = celltypist_file(name)
    if path is not None:
        inspect_model(path)
    elif not _CELLTYPIST_NAME.fullmatch(name):
        raise BadInputError(f"celltypist_model {name!r}: there is no such .pkl file; {offline}.")
    elif not _reachable("celltypist.cog.sanger.ac.uk"):
        raise BadInputError(
            f"celltypist_model {name!r} is not on this machine and celltypist.cog.sanger.ac.uk "
            f"cannot be reached; connect once, or {offline}."
        )


def load_celltypist(name: str) -> Model:
    """Load a CellTypist model, downloading it by name where it is not here.

    The file goes through `napari_vhd.io.unpickle`, never through ``Model.load``.

    Parameters
    ----------
    name
        A ``.pkl`` file, or the name of one of CellTypist's models, with ``.pkl``.

    Raises
    ------
    BadInputError
        If the file is no CellTypist model, or asks for more than a model needs.
    StageError
        If the download fails.
    """
    from celltypist import models

    path = celltypist_file(name)
    if path is None:
        if not _CELLTYPIST_NAME.fullmatch(name):
            raise BadInputError(f"celltypist_model {name!r}: there is no such .pkl file.")
        _download_celltypist(models, name)
        path = Path(models.get_model_path(name))
    parts = read_model(path)
    return models.Model(parts["Model"], parts["Scaler_"], parts["description"])


def celltypist_files(name: str) -> tuple[Path, ...]:
    """Give the model file; none for ``train`` or a name of CellTypist's own."""
    path = None if name == TRAIN or _CELLTYPIST_NAME.fullmatch(name) else celltypist_file(name)
    return () if path is None else (path,)


def _download_celltypist(models: Any, name: str) -> None:
    mend = "check the name and the connection, or use a model file"
    try:
        models.download_models(model=[name])
    except Exception as error:
        # CellTypist raises bare Exception for everything that goes wrong in a download.
        raise StageError(f"celltypist_model {name!r} cannot be downloaded; {mend}.") from error
    if not Path(models.get_model_path(name)).is_file():
        raise StageError(f"celltypist_model {name!r} was not downloaded; {mend}.")


def celltypist_file(name: str) -> Path | None:
    """Find a model file: as a path, or by name in CellTypist's own folder."""
    path = Path(name).expanduser()
    if path.suffix == ".pkl" and path.is_file():
        return path
    home = Path(os.environ.get("CELLTYPIST_FOLDER") or Path.home() / ".celltypist")
    path = home / "data" / "models" / name
    return path if _CELLTYPIST_NAME.fullmatch(name) and path.is_file() else None


def _cached_novae(name: str) -> Path | None:
    """Folder of a hub model that was downloaded before."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    if not _NOVAE_HUB.fullmatch(name):
        return None
    found = [try_to_load_from_cache(name, file) for file in _NOVAE_FILES]
    paths = [Path(file) for file in found if isinstance(file, str)]
    return paths[0].parent if len(paths) == len(_NOVAE_FILES) else None


def _check_stardist_folder(folder: Path) -> None:
    where = f"stardist_model {str(folder)!r}"
    mend = f"use a folder that StarDist wrote, or {SHIPPED!r}"
    config = _read_json(_require(folder, _STARDIST_FILES, where, mend))
    channels, dimensions = config.get("n_channel_in"), config.get("n_dim")
    if (channels, dimensions) != (3, 2):
        raise BadInputError(
            f"{where} is for {dimensions}D images of {channels} channel(s), and H&E is 2D with 3; "
            f"{mend}."
        )
    with (folder / "weights_best.h5").open("rb") as file:
        if file.read(len(_HDF5)) != _HDF5:
            raise BadInputError(f"{where}: weights_best.h5 is not an HDF5 file; {mend}.")


def _require(folder: Path, names: tuple[str, ...], where: str, mend: str) -> Path:
    """Raise unless the folder has all files; give the first."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadInputError(f"{where} has no {' and no '.join(missing)}; {mend}.")
    return folder / names[0]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: not readable as JSON; copy the model again.") from error
    if not isinstance(data, dict):
        raise BadInputError(f"{path}: does not describe a model; copy the model again.")
    return data


def _present(folder: Path | None, names: tuple[str, ...]) -> tuple[Path, ...]:
    if folder is None:
        return ()
    return tuple(folder / name for name in names if (folder / name).is_file())


def _reachable(host: str) -> bool:
    """Whether a name can be looked up within two seconds; behind a proxy it is taken to be."""
    if getproxies().get("https"):
        return True
    found = threading.Event()

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            return
        found.set()

    # A look-up cannot be interrupted: a daemon thread holds nobody up.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_DNS_SECONDS)
    return found.is_set()
