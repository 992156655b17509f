"""What napari is told of the plugin, and what it may ask of it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.layers import Layer
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QLabel

from napari_vhd.layers.scene import scene_of
from napari_vhd.widgets import demo, docked, plugin
from napari_vhd.widgets.opening import opening_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

PACKAGE = Path(plugin.__file__).parents[1]
MANIFEST = PluginManifest.from_file(PACKAGE / "napari.yaml")


@pytest.fixture
def registered(npe2pm: Any) -> None:
    """napari knows this plugin; tests do not look for others."""
    npe2pm.register(MANIFEST)


def python_names() -> list[str]:
    return [str(command.python_name) for command in MANIFEST.contributions.commands or ()]


@pytest.mark.parametrize("name", python_names())
def test_every_command_can_be_imported(name: str) -> None:
    module, _, attribute = name.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_every_dock_is_in_the_manifest() -> None:
    found = {
        f"{file.stem}:{line.split('(')[0].removeprefix('class ')}"
        for file in (PACKAGE / "widgets").glob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("class ") and line.split("(")[0].endswith("Dock")
    }
    kinds = {kind.__name__: kind.holds for kind in docked.Docked.__subclasses__()}
    assert set(kinds.values()) == found
    shown = {widget.command for widget in MANIFEST.contributions.widgets or ()}
    names = {f"napari_vhd.widgets.docked:{name}" for name in kinds}
    assert shown == {c.id for c in MANIFEST.contributions.commands or () if c.python_name in names}
    assert len(shown) == len(kinds)


def test_npe2_finds_and_validates_the_installed_manifest() -> None:
    command = [sys.executable, "-m", "npe2", "validate", "napari-vhd", "--imports"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "valid" in done.stdout


def test_importing_the_reader_loads_nothing_heavy() -> None:
    heavy = "{'spatialdata', 'anndata', 'geopandas', 'zarr', 'qtpy', 'torch', 'tensorflow'}"
    code = (
        "import sys, napari_vhd.widgets.plugin as p; assert p.get_reader('/nowhere') is None;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_window_that_brings_docks_need_not_wait_for_what_they_load() -> None:
    code = (
        "import sys, napari, napari._qt.qt_main_window; before = set(sys.modules);"
        "import napari_vhd.widgets.docked, napari_vhd.widgets.docks, napari_vhd.widgets.plugin;"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {name.split(".")[0] for name in loaded} <= {"napari_vhd", "qtpy"}
    assert not {"napari_vhd.session", "napari_vhd.runner", "napari_vhd.layers"} & loaded


# Reading


def test_the_reader_claims_what_is_ours(
    finished_run: Path, simulated: Path, tmp_path: Path
) -> None:
    ours = [
        finished_run,
        finished_run / "sample.zarr",
        finished_run / "run.json",
        simulated,
        simulated / "outs",
    ]
    assert all(plugin.get_reader(str(path)) is not None for path in ours)
    assert plugin.get_reader([str(finished_run)]) is not None
    other = tmp_path / "cells.zarr"
    (other / "images" / "cells").mkdir(parents=True)
    (other / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    theirs = [tmp_path, other, tmp_path / "nowhere", simulated / "tissue_image.tif"]
    assert all(plugin.get_reader(str(path)) is None for path in theirs)
    for odd in ("", [], "http://nowhere/x.zarr", "\0"):
        assert plugin.get_reader(odd) is None


@pytest.mark.usefixtures("registered")
def test_files_of_others_are_not_offered_to_us() -> None:
    manager = PluginManager.instance()
    for name in ("a.tif", "a.png", "a.json", "a.csv", "a.geojson"):
        readers = {reader.plugin_name for reader in manager.iter_compatible_readers(name)}
        assert "napari-vhd" not in readers


@pytest.mark.usefixtures("registered")
def test_file_open_shows_a_run_with_all_its_layers(
    make_napari_viewer: Callable[..., Viewer], reviewed_run: Path, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from napari_vhd.widgets import docks

    shown: list[Any] = []
    monkeypatch.setattr(docks, "show_docks", shown.append)
    viewer = make_napari_viewer()
    assert viewer.open(str(reviewed_run), plugin="napari-vhd") == []
    qtbot.waitUntil(lambda: scene_of(viewer) is not None, timeout=60_000)
    assert shown
    assert "ProSeg cells" in viewer.layers
    opening_of(viewer).close()


@pytest.mark.usefixtures("registered")
def test_docks_come_with_a_sample_unless_set_otherwise(
    make_napari_viewer: Callable[..., Viewer], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    from napari_vhd.widgets import docks
    from napari_vhd.widgets.parts import settings
    from napari_vhd.widgets.parts.settings import Settings

    def coming(viewer: Viewer) -> list[Any]:
        return viewer.window._qt_window.findChildren(docks._Arrival)

    viewer = make_napari_viewer()
    bare = Settings("", None, open_docks=False)
    monkeypatch.setattr(settings, "settings", lambda: bare)
    docks.show_docks(viewer)
    qtbot.waitUntil(lambda: not coming(viewer))
    assert not viewer.window.dock_widgets
    monkeypatch.setattr(settings, "settings", lambda: replace(bare, open_docks=True))
    docks.show_docks(viewer)
    docks.show_docks(viewer)
    assert not viewer.window.dock_widgets
    qtbot.waitUntil(lambda: not coming(viewer), timeout=20_000)
    assert [name.split(" (")[0] for name in viewer.window.dock_widgets] == list(docks.FIRST)
    assert all(dock.dock is not None for dock in viewer.window.dock_widgets.values())
    # Tabs are too narrow for the name of the plugin as well.
    titles = [dock.parent().windowTitle() for dock in viewer.window.dock_widgets.values()]
    assert titles == list(docks.FIRST)
    raised: list[str] = []
    monkeypatch.setattr(docks, "raise_dock", lambda _, name: raised.append(name))
    opened = opening_of(viewer).opened
    opened.emit(SimpleNamespace(viewer=viewer, session=SimpleNamespace(segmentations=lambda: ())))
    opened.emit(
        SimpleNamespace(viewer=viewer, session=SimpleNamespace(segmentations=lambda: ("a",)))
    )
    assert raised == ["Workflow", "Legend"]


def test_a_dock_that_cannot_be_loaded_says_so(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    class Nowhere(docked.Docked):
        holds = "nowhere:NoDock"

    viewer = make_napari_viewer()
    shown = Nowhere(viewer)
    viewer.window.add_dock_widget(shown, name="nowhere")
    label = shown.findChild(QLabel)
    assert label.text() == "Getting ready…"
    qtbot.waitUntil(lambda: "cannot be shown" in label.text())
    assert "nowhere" in label.text()
    Nowhere.__bases__ = (QLabel,)  # no dock of ours, for others who look for them


def test_a_dock_that_is_closed_before_it_is_there_is_not_filled(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer()
    made: list[Any] = []
    filled: list[Any] = []

    class ClosedWhenMade(docked.Legend):
        def _make(self, kind: Any) -> None:
            super()._make(kind)
            made.append(self._made)
            viewer.window.remove_dock_widget(self)

    with qtbot.captureExceptions() as errors:
        for kind in (docked.Legend, ClosedWhenMade):
            shown = kind(viewer)
            shown.filled.connect(lambda: filled.append(1))
            viewer.window.add_dock_widget(shown, name="legend")
            if kind is docked.Legend:
                viewer.window.remove_dock_widget(shown)
            qtbot.wait(300)
    qtbot.waitUntil(lambda: len(made) == 1)
    qtbot.wait(100)
    assert errors == []
    assert filled == []


def test_without_a_viewer_the_picture_is_given_in_um(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari

    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    read = plugin.get_reader(str(finished_run))
    assert read is not None
    layer = Layer.create(*read(str(finished_run))[0])
    assert layer.rgb
    assert layer.multiscale
    np.testing.assert_allclose(layer.scale, 0.2737)
    # The corner of the first pixel is at 0, its centre half a pixel further.
    np.testing.assert_allclose(layer.translate, 0.2737 / 2)


# The sample


@pytest.mark.usefixtures("registered")
def test_open_sample_makes_the_demo_the_first_time_and_opens_it(
    make_napari_viewer: Callable[..., Viewer], reviewed_run: Path, tmp_path: Path, qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from napari_vhd.widgets import docks

    steps: list[str] = []

    def make(folder: Path, say: Callable[[str], None]) -> Path:
        say("drawing")
        steps.append("made")
        (folder / "runs").mkdir(parents=True)
        return reviewed_run.rename(folder / "runs" / "known")

    monkeypatch.setattr(docks, "show_docks", lambda _: None)
    monkeypatch.setattr(demo, "demo_folder", lambda: tmp_path / "demo")
    monkeypatch.setattr(demo, "make_in_process", make)
    viewer = make_napari_viewer()
    viewer.open_sample("napari-vhd", "demo")
    qtbot.waitUntil(lambda: scene_of(viewer) is not None, timeout=60_000)
    opening_of(viewer).close()
    viewer.open_sample("napari-vhd", "demo")
    qtbot.waitUntil(lambda: scene_of(viewer) is not None, timeout=60_000)
    assert steps == ["made"]
    opening_of(viewer).close()


def test_a_demo_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    from napari_vhd.exceptions import BadInputError

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadInputError, match="could not be made") as refusal:
        demo.make_in_process(tmp_path / "file" / "demo", lambda _: None)
    assert "\n" not in str(refusal.value)


# Writing


@pytest.mark.usefixtures("registered")
def test_a_shapes_layer_is_saved_as_geojson_that_reads_back(tmp_path: Path) -> None:
    from napari.layers import Shapes

    from napari_vhd.io.geojson import read_features

    layer = Shapes(
        [
            np.array([[0, 0], [0, 10], [5, 10], [5, 0]]),
            np.array([[20, 20], [20, 30], [30, 30], [30, 20]]),
            np.array([[1, 1], [9, 9]]),
        ],
        shape_type=["rectangle", "ellipse", "line"],
        features={"id": ["n1", "n2", "x"], "probability": [0.9, np.nan, 0.1]},
        name="nuclei",
    )
    path = tmp_path / "nuclei.geojson"
    assert layer.save(str(path), plugin="napari-vhd") == [str(path)]
    first, second = read_features(path)
    assert first.geometry.bounds == (0, 0, 10, 5)
    assert first.properties["cell_id"] == "n1"
    assert first.properties["measurements"] == {"probability": 0.9}
    assert second.geometry.area == pytest.approx(np.pi * 25, rel=1e-2)
    assert json.loads(path.read_text())["features"][1]["properties"]["measurements"] == {}


# Settings


def test_settings_are_in_the_preferences_and_are_used(
    registered: None,
    plugin_settings: Any,
    simulated: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    from napari.settings import get_plugin_settings

    from napari_vhd.widgets.opening import read_sample
    from napari_vhd.widgets.parts.settings import settings

    assert settings().author == ""
    assert settings().open_docks
    stored = get_plugin_settings("napari-vhd")
    stored.general.author = "ab"
    stored.general.runs_folder = str(tmp_path)
    now = settings()
    assert (now.author, now.runs_folder) == ("ab", tmp_path)
    made = read_sample(simulated, now.author, now.runs_folder)
    assert made.session.author == "ab"
    assert made.session.config is not None
    assert made.session.config.paths.processed == str(tmp_path)
    made.session.close()
