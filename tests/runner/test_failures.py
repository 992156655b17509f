"""Whatever goes wrong in a worker reaches the user as one sentence."""

from __future__ import annotations

import errno
import re
import signal

import pytest

from napari_vhd.exceptions import BadInputError, MemoryShortageError, StageError
from napari_vhd.runner import failures


def wrapped(error: BaseException) -> Exception:
    try:
        try:
            raise error
        except BaseException as inner:
            raise RuntimeError("writing failed") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (BadInputError("a.tif: is not RGB; convert it."), BadInputError, "is not RGB"),
        (OSError(errno.ENOSPC, "No space left on device"), StageError, "disk full: stage qc"),
        (OSError("Can't write data (No space left on device)"), StageError, "disk full"),
        (OSError(errno.EFBIG, "File too large", "x.zarr"), StageError, r"disk full.*x\.zarr"),
        (PermissionError(errno.EACCES, "Permission denied", "/r"), StageError, "/r"),
        (MemoryError(), MemoryShortageError, "ran out of memory; choose a smaller region"),
    ],
)
@pytest.mark.parametrize("wrap", [False, True])
def test_known_causes_are_named(error: Exception, kind: type, words: str, wrap: bool) -> None:
    told = failures.sentence_of(wrapped(error) if wrap else error, "stage qc")
    assert type(told) is kind
    assert re.search(words, str(told))
    assert "\n" not in str(told)


def test_the_unexpected_is_one_line_that_points_to_the_log() -> None:
    told = failures.sentence_of(KeyError("a\nb"), "stage qc")
    assert str(told) == r"stage qc failed: KeyError: 'a\nb'; the details are in run.log."
    long = failures.sentence_of(ValueError("x\n" * 1000), "stage qc")
    assert "\n" not in str(long)
    assert len(str(long)) < 400


def test_a_kill_from_outside_is_taken_for_want_of_memory() -> None:
    exited = {"signal": signal.SIGKILL, "code": 0, "peak_rss_mb": 900.0, "oom_kills": 1}
    error = failures.ended("proseg", exited)
    assert (type(error), error.exit_code) == (MemoryShortageError, 3)
    assert "proseg ran out of memory (it had 900 MB)" in str(error)
    maybe = failures.ended("proseg", {**exited, "oom_kills": 0})
    assert "most likely for want of memory" in str(maybe)


def test_a_crash_names_its_signal() -> None:
    error = failures.ended("domains", {"signal": signal.SIGSEGV, "code": 0, "peak_rss_mb": 1})
    assert (type(error), error.exit_code) == (StageError, 1)
    assert "by signal SIGSEGV" in str(error)


def test_an_error_passes_between_processes() -> None:
    error = MemoryShortageError("too big; choose a smaller region.")
    again = failures.retold(failures.told(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_memory_beyond_what_is_free_is_refused_with_the_mend() -> None:
    failures.require_memory("qc", 1000)
    with pytest.raises(MemoryShortageError, match="80% may be used; choose a smaller region"):
        failures.require_memory("qc", 2**60)
