"""In a process of its own: grows the cells of one region again.

Its supervisor calls `main`. It is given a line with the log, then one with the folder of the
request; it answers with JSON lines.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path

from napari_vhd.corrections import refine
from napari_vhd.stages import proseg

from . import executor, failures
from .worker import Lines, _log_to, _own_stdout


def main() -> None:
    """Grow, and tell how it ended."""
    lines = Lines(_own_stdout())
    _log_to([Path(json.loads(sys.stdin.readline())["log"])])
    folder = Path(json.loads(sys.stdin.readline())["folder"])
    try:
        lines.progress(0, 1, "reading bins")
        with executor.opened(None, 1) as where:
            sample, parameters = refine.sample_of(folder, lines, where)
            if proseg.STAGE.memory is not None:
                failures.require_memory("proseg", proseg.STAGE.memory(sample, parameters))
            refine.grow(folder, sample, parameters)
    except Exception as error:
        traceback.print_exc()
        lines.say("failed", **failures.told(failures.sentence_of(error, "the refinement")))
    else:
        lines.say("grown")
