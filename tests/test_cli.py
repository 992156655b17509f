"""The command line: what it prints, and with which exit code."""

import json
import subprocess
import sys

import h5py
import pytest
import yaml
from PIL import Image

from napari_vhd import cli


@pytest.fixture
def vhd(monkeypatch, capfd):
    """Runs ``napari-vhd`` with arguments; gives exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["napari-vhd", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as done:
            code = done.code or 0
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def config(simulated, tmp_path):
    """Writes the simulated sample's config with changes; gives the file."""

    def write(params=(), paths=(), sample=(), marker_genes=None):
        data = yaml.safe_load((simulated / "config.yaml").read_text())
        data["paths"] |= {
            "spaceranger_outs": str(simulated),
            "processed": str(tmp_path / "processed"),
            "reference": str(simulated / "reference.h5ad"),
        }
        data["samples"][0]["fullres_image"] = str(simulated / "tissue_image.tif")
        data["params"] |= dict(params)
        data["paths"] |= dict(paths)
        data["samples"][0] |= dict(sample)
        if marker_genes is not None:
            data["marker_genes"] = marker_genes
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(data))
        return file

    return write


def reference_with(path, source, labels=None, scale=None):
    """Copy a reference with other labels, or other counts."""
    path.write_bytes(source.read_bytes())
    with h5py.File(path, "r+") as file:
        if labels is not None:
            group = file["obs/ClusterMidway"]
            codes = group["codes"][:]
            labels(codes)
            group["codes"][:] = codes
        if scale is not None:
            file["X/data"][...] = file["X/data"][:] * scale
    return path


def drop_all_but_one_type(codes):
    codes[:] = 0


def make_missing(codes):
    codes[:10] = -1


def test_bad_input_is_one_sentence_and_leaves_nothing(vhd, config, simulated, tmp_path):
    reference = simulated / "reference.h5ad"
    fractional = reference_with(tmp_path / "log.h5ad", reference, scale=0.37)
    single = reference_with(tmp_path / "one.h5ad", reference, labels=drop_all_but_one_type)
    unlabelled = reference_with(tmp_path / "nan.h5ad", reference, labels=make_missing)
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (200, 200)).save(tmp_path / "small.png")
    Image.new("L", (600, 600)).save(tmp_path / "grey.png")
    cases = {
        "outs missing": (config, {"paths": {"spaceranger_outs": str(tmp_path / "no")}}, "no"),
        "outs empty": (config, {"paths": {"spaceranger_outs": str(tmp_path / "empty")}}, "empty"),
        "image missing": (config, {"sample": {"fullres_image": "no.tif"}}, "no.tif"),
        "image too small": (
            config,
            {"sample": {"fullres_image": str(tmp_path / "small.png")}},
            "small.png",
        ),
        "image grey": (
            config,
            {"sample": {"fullres_image": str(tmp_path / "grey.png")}},
            "grey.png",
        ),
        "region inverted": (config, {"sample": {"region": [400, 0, 100, 300]}}, "region"),
        "region outside": (config, {"sample": {"region": [5000, 5000, 6000, 6000]}}, "region"),
        "region without file": (config, {"sample": {"region": "no.geojson"}}, "no.geojson"),
        "reference missing": (config, {"paths": {"reference": "no.h5ad"}}, "no.h5ad"),
        "reference column": (config, {"params": {"cell_type_col": "nope"}}, "nope"),
        "reference not counts": (config, {"paths": {"reference": str(fractional)}}, "counts"),
        "reference one type": (config, {"paths": {"reference": str(single)}}, "one.h5ad"),
        "reference unlabelled": (config, {"paths": {"reference": str(unlabelled)}}, "nan.h5ad"),
        "weights unknown": (config, {"params": {"stardist_model": "2D_nope"}}, "2D_nope"),
        "novae unknown": (config, {"params": {"novae_model": "no/such-model"}}, "no/such-model"),
        "boundaries missing": (config, {"params": {"boundaries": "no.parquet"}}, "no.parquet"),
        "no signature left": (config, {"marker_genes": {"A": ["nix", "nada"]}}, "marker_genes"),
        "unknown key": (config, {"params": {"radus": 3}}, "did you mean 'radius'"),
        "counts contradict": (
            config,
            {"params": {"cell_counts": "proseg", "boundaries_to_type": "stardist"}},
            "cell_counts",
        ),
    }
    for name, (write, changes, said) in cases.items():
        # Even stages that were not asked for now are checked: they would fail later.
        code, out, err = vhd("run", write(**changes), "--until", "read")
        assert code == 2, (name, code, err)
        assert said in err, (name, err)
        assert len(err.strip().splitlines()) == 1, (name, err)
        assert "Traceback" not in err
        assert out == ""
        assert not (tmp_path / "processed").exists(), name


def test_an_unknown_stage_names_the_known_ones(vhd, config, tmp_path):
    code, _, err = vhd("run", config(), "--until", "agregation")
    assert code == 2
    assert "did you mean 'aggregation'" in err
    assert not list(tmp_path.glob("processed/*"))


def test_the_demo_says_beforehand_that_an_engine_is_missing(vhd, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_VHD_PROSEG", str(tmp_path / "nowhere"))
    code, _, err = vhd("demo", "--headless", "--dir", tmp_path / "demo")
    assert code == 2
    assert "proseg is not installed" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "demo").exists()


def test_usage_errors_exit_2(vhd):
    assert vhd("run")[0] == 2
    assert vhd("run", "--no-such-option")[0] == 2
    assert vhd("nonsense")[0] == 2
    assert vhd("status", "/no/such/run")[0] == 2
    code, _, err = vhd("corrections", "list", "/a/run")
    assert code == 2
    assert err.startswith("napari-vhd: '/a/run' is not one of 'list', 'verify'")


def test_params_lists_every_parameter_with_its_default(vhd):
    code, out, _ = vhd("run", "--params")
    assert code == 0
    assert "radius: 50 [µm]" in out
    assert "proseg: voxel_size: null [µm]" in out
    assert "domain_range: [5, 15]" in out


def test_doctor_says_what_is_missing_and_the_mend(vhd, monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_VHD_PROSEG", str(tmp_path / "no-proseg"))
    code, out, _ = vhd("doctor", "--json")
    findings = {row["what"]: row for row in map(json.loads, out.splitlines())}
    assert code == 1
    assert findings["proseg"]["status"] == "missing"
    assert findings["proseg"]["mend"] == "make venv"
    assert findings["stardist"]["status"] == "ok"
    assert findings["StarDist vhd-he-small"]["status"] == "ok"


def test_simulate_refuses_a_folder_that_is_not_empty(vhd, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    code, _, err = vhd("simulate", tmp_path, "--size-px", 500)
    assert code == 2
    assert str(tmp_path) in err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_starts_without_heavy_imports():
    heavy = "{'spatialdata', 'torch', 'tensorflow', 'napari', 'anndata', 'qtpy'}"
    code = (
        "import sys, napari_vhd.cli, napari_vhd.runner.run, napari_vhd.config; "
        f"print({heavy} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "set()", answer.stdout + answer.stderr
