"""Forms are made from the parameter dataclasses, whole and without a second default."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import get_type_hints

import pytest

from napari_vhd.config import RunConfig
from napari_vhd.parameters import Params, ProsegSettings
from napari_vhd.widgets.parts import words
from napari_vhd.widgets.parts.domain_columns import fitting_column
from napari_vhd.widgets.parts.form import Binder, ParameterForm
from napari_vhd.widgets.parts.markers import from_text, to_text
from napari_vhd.widgets.parts.steps import STEPS

CONFIG = RunConfig.from_dict({"paths": {"spaceranger_outs": "x"}, "samples": [{"id": "A"}]})


@pytest.fixture
def form(qtbot):
    made = ParameterForm(Params)
    qtbot.addWidget(made)
    made.set_value({f.name: getattr(Params(), f.name) for f in dataclasses.fields(Params)})
    return made


def test_every_parameter_stands_in_exactly_one_step():
    named = Counter(name for step in STEPS for group in step.groups for name in group.names)
    assert set(named) == {field.name for field in dataclasses.fields(Params)}
    assert set(named.values()) == {1}


def test_every_parameter_has_words():
    for kind in (Params, ProsegSettings):
        assert {f.name for f in dataclasses.fields(kind)} <= set(words.LABELS)


def test_a_form_gives_back_what_it_is_shown(form):
    shown = form.value()
    defaults = Params()
    assert {name: getattr(defaults, name) for name in shown} == shown


def test_each_editor_tells_what_it_does_to_the_result(form):
    hints = get_type_hints(Params, include_extras=True)
    for name, editor in form.editors.items():
        if name == "proseg":
            continue
        described = hints[name].__metadata__[0].description
        assert described.split("'")[0] in editor.native.toolTip()
        assert editor.native.accessibleName()


def test_units_and_ranges_come_from_the_dataclass(form):
    radius = form.editors["radius"].native
    assert radius.suffix() == " µm"
    assert form.editors["pct_mito"].native.maximum() == 100
    probability = form.editors["prob_thresh"].inner.native
    assert (probability.minimum(), probability.maximum()) == (0, 1)


def test_the_tick_means_no_value(form, qtbot):
    heard = []
    form.changed.connect(lambda name, value: heard.append((name, value)))
    editor = form.editors["prob_thresh"]
    assert editor.tick.text() == "the model's own"
    editor.tick.setChecked(False)
    assert heard[-1] == ("prob_thresh", 0.5)
    editor.inner.value = 0.7
    assert heard[-1] == ("prob_thresh", 0.7)
    editor.tick.setChecked(True)
    assert heard[-1] == ("prob_thresh", None)


def test_proseg_settings_come_as_their_own_dataclass(form):
    heard = []
    form.changed.connect(lambda name, value: heard.append((name, value)))
    inner = form.editors["proseg"].native.editors["samples"]
    inner.tick.setChecked(False)
    assert heard[-1] == ("proseg", ProsegSettings(samples=200))


def test_only_what_is_turned_is_written(qtbot):
    """A value shown rounded must stay as it was."""
    changed = {}
    form = ParameterForm(Params, ("prob_thresh", "min_area"))
    qtbot.addWidget(form)
    binder = Binder(form, changed.__setitem__)
    params = dataclasses.replace(CONFIG.params, prob_thresh=0.479071)
    binder.show(dataclasses.replace(CONFIG, params=params))
    assert changed == {}
    form.editors["min_area"].value = 33.0
    assert changed == {"min_area": 33.0}


def test_without_a_config_a_form_is_off(qtbot):
    form = ParameterForm(Params, ("min_area",))
    qtbot.addWidget(form)
    Binder(form, lambda *_: None).show(None)
    assert not form.isEnabled()


def test_numbers_in_a_row_refuse_what_is_no_number(form):
    editor = form.editors["islands_keep"]
    editor.native.setText("1, 3")
    editor.native.editingFinished.emit()
    assert editor.value == (1, 3)
    editor.native.setText("1, x")
    editor.native.editingFinished.emit()
    assert editor.value == (1, 3)
    assert editor.native.text() == "1, 3"


def test_the_lower_number_of_domains_stays_below_the_upper(form):
    heard = []
    form.changed.connect(lambda name, value: heard.append((name, value)))
    form.editors["domain_range"].low.value = 20
    assert heard[-1] == ("domain_range", (20, 20))


def test_the_domains_typed_over_follow_the_range():
    assert fitting_column("novae_domains_8", (5, 15)) == "novae_domains_8"
    assert fitting_column("novae_domains_8", (10, 15)) == "novae_domains_10"
    assert fitting_column("novae_domains_8", (4, 6)) == "novae_domains_6"
    assert fitting_column("leiden", (4, 6)) == "leiden"


def test_marker_genes_as_text():
    markers = {"Tumor": ("REG1A", "REG1B"), "T cells": ("CD3D",)}
    assert from_text(to_text(markers)) == (markers, "")
    found, problem = from_text("Tumor: A, A B\nno colon\nTumor: C")
    assert found == {"Tumor": ("A", "B")}
    assert problem.startswith("Line 2")
