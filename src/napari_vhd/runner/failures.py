"""What went wrong in a worker, in a sentence, across the border of processes."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd import exceptions, keys
from napari_vhd.exceptions import MemoryShortageError, StageError, VhdError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MEMORY_SHARE = 0.8
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_MEND_MEMORY = "choose a smaller region, coarser voxels (proseg: voxel_size) or a bigger machine"


def sentence_of(error: BaseException, who: str) -> VhdError:
    """Turn any exception into one that is meant for a user's eyes.

    Parameters
    ----------
    error
        What was raised.
    who
        Where, as the subject of a sentence: ``"stage qc"``, ``"the run"``.
    """
    for cause in _chain(error):
        if isinstance(cause, VhdError):
            return cause
        if isinstance(cause, MemoryError):
            return MemoryShortageError(
                f"{who} ran out of memory; {_MEND_MEMORY}; the sample is as it was."
            )
        if isinstance(cause, OSError):
            told = _disk(cause, who)
            if told is not None:
                return told
    text = " ".join(str(error).split()) or "no message"
    return StageError(
        f"{who} failed: {type(error).__name__}: {text[:300]}; the details are in {keys.LOG_FILE}."
    )


def ended(stage: str, exited: Mapping[str, Any]) -> VhdError:
    """Say why a worker ended without a word of its own."""
    number = int(exited.get("signal", 0))
    if number == signal.SIGKILL:
        sure = bool(exited.get("oom_kills"))
        why = "ran out of memory" if sure else "was killed, most likely for want of memory"
        return MemoryShortageError(
            f"stage {stage} {why} (it had {exited.get('peak_rss_mb', 0):.0f} MB); {_MEND_MEMORY}; "
            "the sample is as it was."
        )
    how = f"by signal {signal.Signals(number).name}" if number else f"with {exited.get('code')}"
    return StageError(
        f"stage {stage} ended abruptly {how}; its last words are in {keys.LOG_FILE}, the sample "
        "is as it was."
    )


def told(error: VhdError) -> dict[str, Any]:
    """Make the entries of a ``failed`` event."""
    return {
        "error": type(error).__name__,
        "sentence": str(error),
        "exit_code": error.exit_code,
    }


def retold(event: Mapping[str, Any]) -> VhdError:
    """Make the exception of a ``failed`` event."""
    kind = getattr(exceptions, str(event["error"]), StageError)
    if not (isinstance(kind, type) and issubclass(kind, VhdError)):
        kind = StageError
    return kind(event["sentence"])


def require_memory(stage: str, need: int) -> None:
    """Raise where a stage needs more than its share of the memory that is free.

    Parameters
    ----------
    stage
        Name of the stage.
    need
        Bytes it will need.

    Raises
    ------
    MemoryShortageError
        Naming need, free memory and the mend.
    """
    free = free_memory()
    if need > MEMORY_SHARE * free:
        raise MemoryShortageError(
            f"stage {stage} needs about {need / 2**30:.1f} GB of memory, of {free / 2**30:.1f} GB "
            f"that are free {MEMORY_SHARE:.0%} may be used; {_MEND_MEMORY}."
        )


def free_memory() -> int:
    """Find the bytes that can be used, within the limit of a container if there is one."""
    import psutil

    free = int(psutil.virtual_memory().available)
    root = Path("/sys/fs/cgroup")
    try:
        limit = (root / "memory.max").read_text().strip()
        if limit.isdecimal():
            used = int((root / "memory.current").read_text())
            free = min(free, max(int(limit) - used, 0))
    except OSError:
        pass
    return free


def _disk(error: OSError, who: str) -> VhdError | None:
    """Tell of a full disk, or one that refuses."""
    where = f" ({error.filename})" if error.filename else ""
    # HDF5 hides the number of the error in its text.
    text = str(error)
    if error.errno in _FULL or any(os.strerror(number) in text for number in _FULL):
        return StageError(
            f"disk full: {who} could not write its result{where}; free some space and run "
            "again, the sample is as it was."
        )
    if error.errno in _READ_ONLY:
        return StageError(
            f"{who} was refused a file{where}: {error.strerror}; change its "
            "permissions and run again, the sample is as it was."
        )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an exception to what caused it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
