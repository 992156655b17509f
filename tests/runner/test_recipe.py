"""What a result depends on."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from napari_vhd.config import RunConfig
from napari_vhd.exceptions import BadInputError
from napari_vhd.runner import recipe
from napari_vhd.stages import pipeline
from napari_vhd.stages.stage import Inputs

SOURCE = """
from napari_vhd.parameters import EnrichmentParameters
from napari_vhd.stages.stage import Outcome, Stage, each

def run(sample, parameters):
    print(sample.{reads})
    return Outcome()

STAGE = Stage("one", "One", EnrichmentParameters, each(run), needs=("zero",))
"""


def stage_of(folder: Path, name: str, text: str) -> object:
    (folder / f"{name}.py").write_text(text)
    recipe.code_digest.cache_clear()
    recipe.attributes_read.cache_clear()
    recipe._sources.cache_clear()
    recipe._tree.cache_clear()
    recipe._imported.cache_clear()
    importlib.invalidate_caches()
    sys.modules.pop(name, None)
    return importlib.import_module(name).STAGE


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    monkeypatch.syspath_prepend(tmp_path)
    counts = tmp_path / "outs/binned_outputs/square_002um"
    counts.mkdir(parents=True)
    (counts / "filtered_feature_bc_matrix.h5").write_bytes(b"counts")
    data = {
        "paths": {"spaceranger_outs": str(tmp_path)},
        "samples": [{"id": "A"}],
        "marker_genes": {"Tumor": ["A", "B"]},
    }
    config = RunConfig.from_dict(data)
    return Inputs(config, config.samples[0], tmp_path / "outs")


def changed(inputs: Inputs, **sample: object) -> Inputs:
    one = replace(inputs.sample, **sample)
    return replace(inputs, sample=one, config=replace(inputs.config, samples=(one,)))


def test_only_the_parameters_of_the_stage_count(tmp_path: Path, inputs: Inputs) -> None:
    stage = stage_of(tmp_path, "stage_a", SOURCE.format(reads="id"))
    before = recipe.recipe_of(stage, inputs)
    for name, value, same in (("radius", 7.0, True), ("smoothing", False, False)):
        params = replace(inputs.config.params, **{name: value})
        other = replace(inputs, config=replace(inputs.config, params=params))
        assert (recipe.recipe_of(stage, other) == before) is same, name


def test_markers_and_region_count_where_the_code_reads_them(tmp_path: Path, inputs: Inputs) -> None:
    markers = replace(inputs, config=replace(inputs.config, marker_genes={"T": ("C", "D")}))
    region = changed(inputs, region=(0.0, 0.0, 5.0, 5.0))
    for reads, other in (("marker_genes", markers), ("region", region)):
        reader = stage_of(tmp_path, f"reads_{reads}", SOURCE.format(reads=reads))
        blind = stage_of(tmp_path, f"not_{reads}", SOURCE.format(reads="id"))
        assert recipe.recipe_of(reader, inputs) != recipe.recipe_of(reader, other)
        assert recipe.recipe_of(blind, inputs) == recipe.recipe_of(blind, other)


def test_what_a_stage_reads_by_a_shared_module_counts() -> None:
    """The signatures are read for `enrichment` by a module that stages share."""
    read = {
        stage.name: recipe.attributes_read(recipe.module_of(stage)) for stage in pipeline.PIPELINE
    }
    assert "marker_genes" in read["enrichment"]
    assert {"region", "image", "outs"} <= read["region"]
    assert "marker_genes" not in read["proseg"] | read["domains"] | read["rctd"]


def test_the_counts_of_the_sample_count_where_it_is_read(tmp_path: Path, inputs: Inputs) -> None:
    stage = stage_of(tmp_path, "stage_b", SOURCE.format(reads="outs"))
    before = recipe.recipe_of(stage, inputs)
    next(inputs.outs.rglob("*.h5")).write_bytes(b"other!")
    assert recipe.recipe_of(stage, inputs) != before


def test_the_code_counts(tmp_path: Path, inputs: Inputs) -> None:
    before = recipe.recipe_of(stage_of(tmp_path, "stage_c", SOURCE.format(reads="id")), inputs)
    after = recipe.recipe_of(stage_of(tmp_path, "stage_c", SOURCE.format(reads="name")), inputs)
    assert replace(after, code="") == replace(before, code="")
    assert after.code != before.code


def test_the_code_of_modules_it_imports_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        "from napari_vhd.io import versions\nfrom napari_vhd import keys\nimport json\n"
    )
    versions = {"napari_vhd.io", "napari_vhd.io.versions"}
    assert recipe._imported(path, "x") - recipe._NOT_CODE == versions
    path = tmp_path / "y.py"
    path.write_text("def run():\n    from . import patching\n    from .versions import link\n")
    found = recipe._imported(path, "napari_vhd.io.store")
    assert found - recipe._NOT_CODE == versions | {"napari_vhd.io.patching"}


def test_where_files_lie_does_not_count(tmp_path: Path, inputs: Inputs) -> None:
    stage = replace(
        stage_of(tmp_path, "stage_d", SOURCE.format(reads="id")),
        files=lambda given: [Path(given.config.paths.reference)],
    )
    found = []
    for folder in ("here", "there"):
        path = tmp_path / folder / "reference.h5ad"
        path.parent.mkdir()
        path.write_bytes(b"cells")
        paths = replace(inputs.config.paths, reference=str(path))
        other = replace(inputs, config=replace(inputs.config, paths=paths))
        found.append(recipe.recipe_of(stage, other))
    assert found[0] == found[1]
    assert found[0].files["reference.h5ad"].startswith("sha256:")


def test_big_files_are_told_by_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "SMALL_FILE_BYTES", 1000)
    path = tmp_path / "big"
    path.write_bytes(bytes(3 * 2**20))
    before = recipe.identity(path)
    stamp = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(path, ns=(stamp, stamp))
    recipe._file_identity.cache_clear()
    assert recipe.identity(path) != before


def test_a_folder_is_told_by_what_it_holds(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.h5").write_bytes(b"1")
    before = recipe.identity(model)
    (model / "weights.h5").rename(model / "other.h5")
    assert recipe.identity(model) != before


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"gone\.h5ad: cannot be read"):
        recipe.identity(tmp_path / "gone.h5ad")


def test_a_stage_is_found_by_the_module_of_its_function(tmp_path: Path, inputs: Inputs) -> None:
    stage = stage_of(tmp_path, "stage_e", SOURCE.format(reads="id"))
    assert recipe.address_of(stage) == "stage_e:STAGE"
    with pytest.raises(TypeError, match="not an attribute"):
        recipe.address_of(replace(stage, title="copy"))
