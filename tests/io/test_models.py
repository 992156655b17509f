from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_vhd.exceptions import BadInputError
from napari_vhd.io import models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model was downloaded before, whoever runs the tests."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("CELLTYPIST_FOLDER", str(tmp_path / "celltypist"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_found(*_args: object) -> None:
        raise socket.gaierror("no network")

    monkeypatch.setattr(socket, "getaddrinfo", nothing_found)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own_stardist(tmp_path: Path) -> Path:
    folder = tmp_path / "my_model"
    shipped = models.stardist_folder(models.SHIPPED)
    assert shipped is not None
    shutil.copytree(shipped, folder)
    return folder


class TestStardist:
    def test_shipped_model_needs_no_network(self, offline: None) -> None:
        models.check_stardist(models.SHIPPED)
        names = {path.name for path in models.stardist_files(models.SHIPPED)}
        assert names == {"config.json", "weights_best.h5", "thresholds.json"}

    def test_own_folder_is_accepted(self, own_stardist: Path, offline: None) -> None:
        models.check_stardist(str(own_stardist))
        assert models.stardist_folder(str(own_stardist)) == own_stardist

    def test_pretrained_name_without_network_names_the_offline_choice(self, offline: None) -> None:
        with pytest.raises(BadInputError, match=r"cannot be reached; .*'vhd-he-small'"):
            models.check_stardist("2D_versatile_he")

    def test_pretrained_model_that_was_downloaded_is_used_offline(
        self, own_stardist: Path, offline: None, tmp_path: Path
    ) -> None:
        cached = tmp_path / "keras/models/StarDist2D/2D_versatile_he/2D_versatile_he_extracted"
        shutil.copytree(own_stardist, cached)
        models.check_stardist("2D_versatile_he")
        assert models.stardist_folder("2D_versatile_he") == cached
        # The name stands for itself: a download must not make earlier results out of date.
        assert models.stardist_files("2D_versatile_he") == ()

    @pytest.mark.parametrize("name", ["2D_versatile_fluo", "nope", "/no/such/folder"])
    def test_unknown_name_is_refused(self, name: str) -> None:
        with pytest.raises(BadInputError, match=name):
            models.check_stardist(name)

    @pytest.mark.parametrize("missing", ["config.json", "weights_best.h5"])
    def test_incomplete_folder_is_refused(self, own_stardist: Path, missing: str) -> None:
        (own_stardist / missing).unlink()
        with pytest.raises(BadInputError, match=missing):
            models.check_stardist(str(own_stardist))

    def test_model_for_one_channel_is_refused(self, own_stardist: Path) -> None:
        config = json.loads((own_stardist / "config.json").read_text())
        (own_stardist / "config.json").write_text(json.dumps(config | {"n_channel_in": 1}))
        with pytest.raises(BadInputError, match="1 channel"):
            models.check_stardist(str(own_stardist))

    @pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
    def test_unreadable_config_is_refused(self, own_stardist: Path, text: str) -> None:
        (own_stardist / "config.json").write_text(text)
        with pytest.raises(BadInputError, match=r"config\.json"):
            models.check_stardist(str(own_stardist))

    def test_weights_that_are_no_hdf5_are_refused(self, own_stardist: Path) -> None:
        (own_stardist / "weights_best.h5").write_text("version https://git-lfs")
        with pytest.raises(BadInputError, match="not an HDF5 file"):
            models.check_stardist(str(own_stardist))


class TestNovae:
    def test_training_on_the_sample_needs_nothing(self, offline: None) -> None:
        models.check_novae(None)
        assert models.novae_source(None) is None

    def test_folder_is_accepted(self, tmp_path: Path, offline: None) -> None:
        (tmp_path / "config.json").write_text("{}")
        (tmp_path / "model.safetensors").write_bytes(b"")
        models.check_novae(str(tmp_path))
        assert models.novae_source(str(tmp_path)) == str(tmp_path)
        assert len(models.novae_files(str(tmp_path))) == 2

    def test_folder_without_weights_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(BadInputError, match=r"no model\.safetensors; .*null"):
            models.check_novae(str(tmp_path))

    @pytest.mark.parametrize(
        "name", ["nope", "https://host/novae", "evil/novae-human-0", "MICS-Lab/../x", "/no/where"]
    )
    def test_anything_but_a_folder_or_hub_name_is_refused(self, name: str) -> None:
        with pytest.raises(BadInputError, match="neither a folder nor"):
            models.check_novae(name)

    def test_hub_name_without_network_names_the_offline_choices(
        self, offline: None, tmp_path: Path
    ) -> None:
        with pytest.raises(BadInputError, match=r"cannot be reached; .*folder.*null"):
            models.check_novae("MICS-Lab/novae-human-0")


def test_a_network_that_does_not_answer_is_given_two_seconds(
    monkeypatch: pytest.MonkeyPatch, offline: None
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: time.sleep(20))
    start = time.monotonic()
    with pytest.raises(BadInputError):
        models.check_stardist("2D_versatile_he")
    assert time.monotonic() - start < 4


class _Payload:
    """Writes a canary file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.system, (f"touch {self.canary}",)


class _Evaluated:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return eval, (f"open({str(self.canary)!r}, 'w')",)


class TestCelltypist:
    def test_training_needs_nothing(self, offline: None) -> None:
        models.check_celltypist("train")
        assert models.celltypist_files("train") == ()

    @pytest.mark.parametrize("payload", [_Payload, _Evaluated])
    @pytest.mark.parametrize("protocol", [0, 2, 4, 5])
    def test_hostile_pickle_never_runs(self, tmp_path: Path, payload: type, protocol: int) -> None:
        canary, path = tmp_path / "canary", tmp_path / "model.pkl"
        parts = {"Model": payload(canary), "Scaler_": 1, "description": {}}
        path.write_bytes(pickle.dumps(parts, protocol=protocol))
        with pytest.raises(BadInputError, match="refused"):
            models.check_celltypist(str(path))
        with pytest.raises(BadInputError, match="refused"):
            models.load_celltypist(str(path))
        assert not canary.exists()

    @pytest.mark.parametrize(
        "content", [b"", b"junk", pickle.dumps([1]), pickle.dumps({"Model": 1})]
    )
    def test_file_that_is_no_model_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "model.pkl"
        path.write_bytes(content)
        with pytest.raises(BadInputError, match="not a CellTypist model"):
            models.check_celltypist(str(path))

    def test_untrained_model_is_refused(self, tmp_path: Path) -> None:
        from sklearn.linear_model import LogisticRegression

        path = tmp_path / "model.pkl"
        parts = {"Model": LogisticRegression(), "Scaler_": np.zeros(1), "description": {}}
        path.write_bytes(pickle.dumps(parts))
        with pytest.raises(BadInputError, match="not trained"):
            models.load_celltypist(str(path))

    @pytest.mark.parametrize("name", ["nope", "model.h5ad", "/no/where.pkl", "../x.pkl"])
    def test_what_is_neither_file_nor_name_is_refused(self, name: str, offline: None) -> None:
        with pytest.raises(BadInputError, match="there is no such"):
            models.check_celltypist(name)

    def test_name_without_network_names_the_offline_choices(self, offline: None) -> None:
        with pytest.raises(BadInputError, match=r"cannot be reached; .*'train'"):
            models.check_celltypist("Human_Colorectal_Cancer.pkl")


def _trained(folder: Path, **how: object) -> tuple[Path, np.ndarray]:
    import anndata as ad
    import celltypist
    import scanpy as sc

    rng = np.random.default_rng(0)
    kind = np.repeat(["A", "B/x", "C"], 40)
    rate = 1 + 5 * (np.arange(350) % 3 == np.searchsorted(["A", "B/x", "C"], kind)[:, None])
    cells = ad.AnnData(rng.poisson(rate).astype("float32"))
    cells.var_names = [f"G{i}" for i in range(350)]
    cells.obs["t"] = kind
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    model = celltypist.train(cells, labels="t", n_jobs=1, random_state=0, **how)
    path = folder / "model.pkl"
    model.write(str(path))
    return path, model.classifier.coef_


@pytest.mark.tools
@pytest.mark.filterwarnings("ignore:'multi_class' was deprecated:FutureWarning")
@pytest.mark.parametrize("how", [{"feature_selection": True}, {}, {"use_SGD": True}])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_real_models_pass_unchanged(tmp_path: Path, how: dict[str, object], protocol: int) -> None:
    path, coefficients = _trained(tmp_path, **how)
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()), protocol=protocol))
    models.check_celltypist(str(path))
    model = models.load_celltypist(str(path))
    np.testing.assert_array_equal(model.classifier.coef_, coefficients)
    assert list(model.cell_types) == ["A", "B/x", "C"]
    assert model.extract_top_markers("A", 5).shape == (5,)
    assert models.celltypist_files(str(path)) == (path,)


def test_checks_import_nothing_heavy() -> None:
    code = (
        "import sys; from napari_vhd.io import models;"
        "models.check_stardist(models.SHIPPED); models.check_novae(None);"
        "heavy = {'tensorflow', 'torch', 'sklearn', 'celltypist', 'novae'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
