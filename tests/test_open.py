"""``napari-vhd open`` and ``demo``: a window on a sample, or a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_vhd import cli, keys

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[..., tuple[int, str, str]]

COMMAND = "from napari_vhd.cli import main; main()"


@pytest.fixture
def vhd(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Run ``napari-vhd`` with arguments; gives exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["napari-vhd", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as done:
            code = int(done.code or 0)
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize("what", ["nowhere", "", "picture.png"])
def test_what_is_no_sample_is_said_before_a_window_opens(
    vhd: Call, tmp_path: Path, what: str
) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "picture.png")
    code, out, err = vhd("open", tmp_path / what)
    assert (code, out) == (2, "")
    assert err.startswith("napari-vhd: ")
    assert str(tmp_path) in err
    assert err.count("\n") == 1


def test_without_a_screen_it_is_said_what_to_do(
    vhd: Call, simulated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for arguments in (("open", simulated), ("demo", "--dir", simulated / "nowhere")):
        code, _, err = vhd(*arguments)
        assert code == 2
        assert "xvfb-run" in err
    assert not (simulated / "nowhere").exists()


def test_a_picture_needs_a_folder_to_go_to(vhd: Call, simulated: Path, tmp_path: Path) -> None:
    code, _, err = vhd("open", simulated, "--screenshot", tmp_path / "none" / "a.png")
    assert code == 2
    assert "none" in err


def test_a_run_opens_in_a_window_of_its_own(reviewed_run: Path, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    arguments = ["open", str(reviewed_run), "--author", "ab", "--screenshot", str(picture)]
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **home, "NAPARI_CONFIG": str(tmp_path / "settings.yaml")},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert pixels.shape[1] >= 1280
    canvas = pixels[200:600, 400:800].reshape(-1, 3)
    assert len(np.unique(canvas, axis=0)) > 1000  # tissue, and cells on it
    assert (reviewed_run / keys.VIEW_FILE).is_file()


def test_the_demo_goes_on_with_its_newest_run(tmp_path: Path) -> None:
    assert cli._latest_run(tmp_path) is None
    for number, name in enumerate(("old", "new")):
        (tmp_path / name).mkdir()
        file = tmp_path / name / keys.RUN_FILE
        file.write_text("{}")
        os.utime(file, (number, number))
    assert cli._latest_run(tmp_path) == tmp_path / "new"
