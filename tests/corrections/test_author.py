"""The name of who corrects: set once, kept in the user's settings."""

from __future__ import annotations

import pytest

from napari_vhd import Session, keys
from napari_vhd.corrections.author import save_author, saved_author
from napari_vhd.exceptions import BadInputError


@pytest.fixture(autouse=True)
def settings_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def test_a_name_is_kept_and_used_where_none_is_given(reviewed_run):
    assert saved_author() == ""
    save_author(" ab ")
    assert saved_author() == "ab"
    with Session.open(reviewed_run) as session:
        assert session.author == "ab"
        entry = session.relabel("c000001", keys.TYPE_DOMAIN, "Unsure")
        assert entry.author == "ab"
    with Session.open(reviewed_run, author="cd") as session:
        assert session.author == "cd"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 500])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(BadInputError):
        save_author(name)
    assert saved_author() == ""
