"""The name of who corrects: one, whether it is set in a dock, the preferences or a notebook."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from napari.utils.notifications import notification_manager

from napari_vhd.corrections.author import save_author, saved_author
from napari_vhd.widgets.corrections import CorrectionsDock
from napari_vhd.widgets.opening import opening_of
from napari_vhd.widgets.parts.settings import author_setting, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.viewer import Viewer

pytestmark = pytest.mark.usefixtures("own_settings", "registered", "plugin_settings")


@pytest.fixture
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    # A process that has seen nothing yet.
    author_setting.cache_clear()


@pytest.fixture
def registered(npe2pm: Any) -> None:
    """The plugin as napari knows it."""
    from importlib.resources import files

    from npe2 import PluginManifest

    npe2pm.register(PluginManifest.from_file(str(files("napari_vhd") / "napari.yaml")))


def preferences() -> Any:
    from napari.settings import get_plugin_settings

    return get_plugin_settings("napari-vhd").general


def restart() -> None:
    """Forget what is in memory: what a new start of napari finds is on disk."""
    from napari.settings import _clear_plugin_settings_cache

    _clear_plugin_settings_cache()
    author_setting.cache_clear()


def test_what_is_set_in_the_preferences_is_what_notebooks_and_new_sessions_use() -> None:
    assert settings().author == saved_author() == ""
    preferences().author = "ab"
    assert settings().author == saved_author() == "ab"
    preferences().author = ""
    assert settings().author == saved_author() == ""


def test_what_is_no_name_is_put_back_with_a_sentence() -> None:
    author_setting().set("ab")
    preferences().author = "x" * 500
    assert settings().author == saved_author() == preferences().author == "ab"
    assert "500 letters" in notification_manager.records[-1].message


def test_what_a_notebook_saved_is_in_the_preferences() -> None:
    save_author("nb")
    assert settings().author == preferences().author == "nb"
    restart()
    save_author("later")
    assert settings().author == preferences().author == "later"


def test_of_two_names_the_one_that_was_written_last_counts() -> None:
    author_setting().set("old")
    restart()
    # Set before anything of this plugin was loaded.
    preferences().author = "new"
    then = time.time() - 100
    os.utime(saved_file(), (then, then))
    assert settings().author == saved_author() == "new"
    restart()
    save_author("newest")
    soon = time.time() + 100
    os.utime(saved_file(), (soon, soon))
    assert settings().author == preferences().author == "newest"


def saved_file() -> Path:
    from napari_vhd.corrections.author import _path

    return _path()


def test_the_dock_and_the_preferences_show_the_same_name(opened: Any) -> None:
    opened.session.author = ""
    author_setting().set("ab")
    dock = opened.dock(CorrectionsDock)
    assert dock.head.author.text() == opened.session.author == "ab"
    dock.head.author.setText("cd")
    dock.head.author.editingFinished.emit()
    assert preferences().author == saved_author() == opened.session.author == "cd"
    preferences().author = "ef"
    assert dock.head.author.text() == opened.session.author == saved_author() == "ef"


def test_a_name_given_for_a_session_is_left_alone(
    make_napari_viewer: Callable[..., Viewer], reviewed_run: Path, qtbot: Any
) -> None:
    author_setting().set("ab")
    viewer, shown = make_napari_viewer(), []
    opening = opening_of(viewer)
    opening.opened.connect(shown.append)
    opening.open(reviewed_run, "cli")
    qtbot.waitUntil(lambda: bool(shown), timeout=60_000)
    dock = CorrectionsDock(viewer)
    viewer.window.add_dock_widget(dock)
    session = shown[0].session
    assert dock.head.author.text() == session.author == "cli"
    preferences().author = "ef"
    assert dock.head.author.text() == session.author == "cli"
    assert saved_author() == "ef"
    opening.close()
