"""The YAML file: what is accepted, and what is said of what is not."""

import dataclasses

import pytest
import yaml

from napari_vhd.config import Params, QcParameters, RctdParameters, RunConfig
from napari_vhd.exceptions import BadInputError

TUTORIAL = """
paths:
  spaceranger_outs: "../data/spatial/SpaceRanger"
  processed: "../data/spatial/processed"
  figures: "../figures"
samples:
  - id: "Visium_HD_Human_Colon_Cancer"
    name: "CRC_tutorial"
params:
  filter_genes_counts: 1
  filter_cells_counts: 1
  radius: 50
  percentile_pct_mito: null
  pct_mito: 10
  novae_model: "MICS-Lab/novae-human-0"
  novae_max_epochs: 50
  domain_range: [5, 15]
marker_genes:
  Tumor: ["REG1A", "REG1B", "CEACAM6", "TGFBI"]
"""


def minimal(**sections):
    return {"paths": {"spaceranger_outs": "outs"}, "samples": [{"id": "A"}], **sections}


def test_the_tutorials_file_is_valid_as_it_is(tmp_path):
    file = tmp_path / "scripts" / "config.yaml"
    file.parent.mkdir()
    file.write_text(TUTORIAL)
    config = RunConfig.from_yaml(file)
    assert config.paths.processed == str(tmp_path / "data" / "spatial" / "processed")
    assert config.params.novae_model == "MICS-Lab/novae-human-0"
    assert config.paths.reference is None
    assert config.marker_genes["Tumor"] == ("REG1A", "REG1B", "CEACAM6", "TGFBI")


def test_defaults_are_the_documented_ones():
    params = RunConfig.from_dict(minimal()).params
    assert params == Params()
    assert (params.radius, params.pct_mito, params.min_area) == (50, 10, 20)
    assert params.expand_radius_ratio is None
    assert params.domain_range == (5, 15)
    assert params.umi_max == 20_000_000


def test_a_config_survives_writing_and_reading(tmp_path):
    config = RunConfig.from_dict(
        minimal(params={"radius": 40, "proseg": {"samples": 10}, "domain_range": [4, 8]})
    )
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert RunConfig.from_dict(yaml.safe_load(file.read_text())) == config


def test_empty_sections_are_as_if_left_out():
    assert RunConfig.from_dict(minimal(params=None, marker_genes=None)).params == Params()


def test_a_stage_is_given_its_own_parameters_alone():
    params = RunConfig.from_dict(minimal(params={"pct_mito": 5, "umi_min": 7})).params
    assert params.of(QcParameters).pct_mito == 5
    assert params.of(RctdParameters).umi_min == 7
    assert "umi_min" not in {f.name for f in dataclasses.fields(params.of(QcParameters))}


def test_weights_stay_a_name_unless_the_path_exists(tmp_path):
    (tmp_path / "novae").mkdir()
    config = RunConfig.from_dict(
        minimal(params={"novae_model": "novae", "stardist_model": "2D_versatile_he"})
    ).resolved(tmp_path)
    assert config.params.novae_model == str(tmp_path / "novae")
    assert config.params.stardist_model == "2D_versatile_he"


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"params": {"radus": 4}}, "unknown key 'params: radus'; did you mean 'radius'"),
        ({"parms": {}}, "unknown key 'parms'; did you mean 'params'"),
        ({"boundaries": "other.zarr"}, "unknown key 'boundaries'; it belongs under 'params'"),
        ({"nonsense": 1}, "unknown key 'nonsense'; known are paths"),
        ({"params": {"proseg": {"sample": 1}}}, "did you mean 'samples'"),
        ({"samples": [{"id": "A", "regin": 1}]}, "did you mean 'region'"),
        ({"params": {"radius": "wide"}}, "params: radius: 'wide' does not fit"),
        ({"params": {"seed": True}}, "params: seed: True does not fit"),
        ({"params": {"pct_mito": 101}}, "less than or equal to 100"),
        ({"params": {"rctd_mode": "multi"}}, "'full' or 'doublet'"),
        ({"params": {"domain_range": [9, 5]}}, r"inverted; write \[5, 9\]"),
        ({"params": {"clustering_col": "novae_domains_20"}}, "is not computed with domain_range"),
        ({"params": {"umi_min": 9, "umi_max": 8}}, "umi_min 9 is above umi_max 8"),
        ({"params": {"patch_overlap": 1000}}, "less than half of patch_width"),
        ({"params": {"radius": float("nan")}}, "radius"),
        ({"samples": []}, "samples is empty"),
        ({"samples": [{"id": "a/../b"}]}, "'a/../b' cannot be used in file names"),
        ({"samples": [{"id": "/etc"}]}, "cannot be used in file names"),
        ({"samples": [{"id": "CON"}]}, "cannot be used in file names"),
        ({"samples": [{"id": "A", "name": "x\ny"}]}, "cannot be used in file names"),
        ({"samples": [{"id": "A"}, {"id": "a"}]}, "is there twice"),
        ({"samples": [{"id": "A", "region": [1, 2]}]}, "region"),
        ({"marker_genes": {"A/B": ["X", "Y"]}}, "cannot name a signature"),
        ({"paths": {}}, "paths: spaceranger_outs is missing"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(sections, said):
    with pytest.raises(BadInputError, match=said) as caught:
        RunConfig.from_dict(minimal(**sections), source="my.yaml")
    message = str(caught.value)
    assert message.startswith("my.yaml: ")
    assert "\n" not in message
    assert message.endswith((".", "?"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [1]\nb: [*a, *a]\n", "aliases"),
        ("[" * 20_000, "nested too deeply|not valid YAML"),
        ("paths: [unclosed", "not valid YAML at line"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("- 1\n- 2\n", "expected the sections"),
        ("", "expected the sections"),
        ("x: 1\n" * 300_000, "larger than 1 MB"),
        ("paths: {spaceranger_outs: 2020-01-01}\nsamples: [{id: A}]", "write plain numbers"),
    ],
)
def test_files_that_are_no_config_are_refused(tmp_path, text, said):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(BadInputError, match=said) as caught:
        RunConfig.from_yaml(file)
    assert "bad.yaml" in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path):
    with pytest.raises(BadInputError, match=r"no\.yaml: there is no such config file"):
        RunConfig.from_yaml(tmp_path / "no.yaml")
    file = tmp_path / "picture.yaml"
    file.write_bytes(b"\xff\xfe\x00\x80" * 10)
    with pytest.raises(BadInputError, match="not a UTF-8 text file"):
        RunConfig.from_yaml(file)
