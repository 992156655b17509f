from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_vhd.exceptions import BadInputError, StageError
from napari_vhd.io import rctd_tables

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.skipif(find_spec("rctd") is None, reason="needs rctd")


@pytest.fixture(scope="module")
def likelihood() -> ModuleType:
    """RCTD's own module."""
    with warnings.catch_warnings():
        # torch deprecates torch.jit.script, which rctd calls on import.
        warnings.simplefilter("ignore", FutureWarning)
        return import_module("rctd._likelihood")


def _silent(_done: float, _total: float, _what: str) -> None:
    pass


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(rctd_tables.ENVIRONMENT, raising=False)


@pytest.fixture
def few_means(likelihood: ModuleType, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Every 60th of RCTD's means: the whole grid takes half a minute."""
    means = likelihood.build_x_vals()[::60].copy()
    monkeypatch.setattr(likelihood, "build_x_vals", lambda: means)
    return means


def _reference(
    likelihood: ModuleType, sigma: int, counts: list[int], means: np.ndarray
) -> np.ndarray:
    single = [likelihood._get_q_single(means, k, sigma / 100) for k in counts]
    return np.log(np.maximum(single, 1e-300))


@pytest.mark.parametrize("sigma", [10, 28, 100, 200])
def test_tables_equal_rctds_own_function(
    likelihood: ModuleType, sigma: int, few_means: np.ndarray
) -> None:
    tables = rctd_tables.compute(130, (sigma, 50), _silent)
    counts = [0, 1, 5, 63, 64, 65, 127, 128, 132]
    own = _reference(likelihood, sigma, counts, few_means)
    np.testing.assert_allclose(tables[f"Q_{sigma}"][counts], own, rtol=0, atol=1e-11)


def test_tables_equal_rctds_own_matrix(likelihood: ModuleType, few_means: np.ndarray) -> None:
    tables = rctd_tables.compute(2, (100,), _silent)
    own = likelihood.compute_q_matrix(1.0, few_means, 2)
    assert tables["Q_100"].shape == own.shape
    np.testing.assert_allclose(tables["Q_100"], own, rtol=0, atol=1e-11)


def test_largest_counts_are_as_exact(likelihood: ModuleType, few_means: np.ndarray) -> None:
    counts = [998, 1002]
    own = _reference(likelihood, 40, counts, few_means)
    tables = rctd_tables.compute(1000, (40,), _silent)
    np.testing.assert_allclose(tables["Q_40"][counts], own, rtol=0, atol=1e-10)


def test_every_noise_level_rctd_may_choose_is_made(likelihood: ModuleType) -> None:
    from rctd._sigma import SIGMA_ALL

    assert list(rctd_tables.SIGMAS) == list(SIGMA_ALL)


@pytest.mark.parametrize(("count", "k_val"), [(1, 125), (125, 125), (126, 250), (5000, 1000)])
def test_tables_reach_the_largest_count_or_rctds_cap(count: int, k_val: int) -> None:
    assert rctd_tables.fitting_k_val(count) == k_val


def test_tables_are_made_once_and_read_by_rctd(
    likelihood: ModuleType, few_means: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[float, float, str]] = []
    made = rctd_tables.tables_for(7, lambda *step: steps.append(step))
    assert steps[-1][0] == steps[-1][1] == len(few_means)
    assert [file.name for file in made.path.parent.iterdir()] == ["q_matrices_125.npz"]

    steps.clear()
    assert rctd_tables.tables_for(120, lambda *step: steps.append(step)) == made
    assert not steps

    monkeypatch.setenv(rctd_tables.ENVIRONMENT, str(made.path))
    read = likelihood.load_cached_q_matrices()
    assert set(read) == {"X_vals"} | {f"Q_{sigma}" for sigma in rctd_tables.SIGMAS}
    assert sum(read[name].nbytes for name in read if name != "X_vals") == made.nbytes
    assert read["Q_100"].shape == (made.k_val + 3, len(few_means))


def test_half_written_tables_are_made_again(few_means: np.ndarray) -> None:
    path = rctd_tables.tables_path(125)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 cut short")
    assert rctd_tables.tables_for(7, _silent).k_val == 125


def test_failure_leaves_no_part_behind(tmp_path: Path) -> None:
    def stop(_done: float, _total: float, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rctd_tables.build(tmp_path / "tables" / "t.npz", 1, stop, sigmas=(100,))
    assert not list(tmp_path.glob("tables/*"))


def test_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_means: np.ndarray
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StageError, match=f"cannot be written.*{rctd_tables.ENVIRONMENT}"):
        rctd_tables.tables_for(7, _silent)


def test_the_users_own_tables_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "q_matrices.npz"
    np.savez_compressed(own, X_vals=np.arange(4.0), Q_100=np.zeros((203, 4)))
    for given in (own, tmp_path):
        monkeypatch.setenv(rctd_tables.ENVIRONMENT, str(given))
        rctd_tables.check_tables()
        found = rctd_tables.tables_for(900, _silent)
        assert (found.path, found.k_val, found.nbytes) == (own, 200, 203 * 4 * 8)


@pytest.mark.parametrize("content", [None, b"junk", "other"])
def test_given_tables_that_are_none_are_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | str | None
) -> None:
    path = tmp_path / "t.npz"
    if content == "other":
        np.savez(path, something=np.zeros(3))
    elif isinstance(content, bytes):
        path.write_bytes(content)
    monkeypatch.setenv(rctd_tables.ENVIRONMENT, str(path))
    with pytest.raises(BadInputError, match=r"unset RCTD_Q_MATRICES"):
        rctd_tables.check_tables()
