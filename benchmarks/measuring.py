"""How benchmarks measure: CPU time of the process, most memory, a view and a lasso of a size."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

CANVAS = (1000, 1150)  # height, width on the screen
REPEATS = 9
LASSO = 5000
NUMBER = "area_um2"
DOMAINS, TYPES = "novae_domains_8", "cell_type_domain"


def cpu_ms(function: Callable[[], Any]) -> float:
    """CPU time of all threads of this process, ms."""
    started = time.process_time()
    function()
    return 1e3 * (time.process_time() - started)


def median_ms(function: Callable[[int], Any], repeats: int = REPEATS) -> float:
    """Median CPU time of calls with 0, 1, …; a first call is not counted."""
    function(0)
    times = [cpu_ms(lambda number=number: function(number + 1)) for number in range(repeats)]
    return round(statistics.median(times), 3)


def peak_mb() -> float:
    """Most memory that this process has had, MB."""
    # Not getrusage's: that begins with the size of who started the process.
    lines = Path("/proc/self/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return round(int(kilobytes) / 1024, 0)


def lasso_around(centres: Any) -> Any:
    """Draw a circle that holds about `LASSO` cells (fewer where there are fewer)."""
    import shapely

    middle = centres.mean(axis=0)
    away = np.sort(np.linalg.norm(centres - middle, axis=1))
    return shapely.Point(*middle).buffer(float(away[min(LASSO, len(away)) - 1]))
