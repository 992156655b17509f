"""What can go wrong, said so that a user can mend it.

Every message is one sentence that names the file, the value and the mend. The exit code of the
command line is the class's ``exit_code``.
"""

from __future__ import annotations


class VhdError(Exception):
    """Base of all errors that are meant for a user's eyes."""

    exit_code = 1


class BadInputError(VhdError):
    """Something the user gave cannot be used, and that could be known before any work."""

    exit_code = 2


class MissingEngineError(BadInputError):
    """An optional engine (StarDist, ProSeg, Novae, …) is not installed."""


class StageError(VhdError):
    """A stage could not finish with this data; the sample is as it was before the stage."""


class BusyError(VhdError):
    """Another process is running stages on the same run folder."""


class LedgerError(VhdError):
    """A correction could not be written down; nothing changed, what was corrected is kept."""


class MemoryShortageError(VhdError):
    """A stage needs more memory than is free, or was ended because memory ran out."""

    exit_code = 3


class CancelledError(VhdError):
    """The user cancelled the run."""

    exit_code = 130


def require_engine(module: str, extra: str) -> None:
    """Raise unless the optional engine can be imported (it is not imported here).

    Parameters
    ----------
    module
        Name of the engine's Python package, for example ``"stardist"``.
    extra
        The extra of ``napari-vhd`` that installs it.

    Raises
    ------
    MissingEngineError
        With the command that adds the engine.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        msg = f"{module} is not installed; add it with: pip install 'napari-vhd[{extra}]'"
        raise MissingEngineError(msg)
