"""The command line: the same verbs without a screen.

Exit codes: 0 done; 1 failed, the sample unchanged; 2 bad input; 3 out of memory; 130 cancelled.
Errors are one sentence on stderr, never a traceback.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_vhd import keys
from napari_vhd.exceptions import (
    BadInputError,
    CancelledError,
    MissingEngineError,
    StageError,
    VhdError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    name="napari-vhd",
    help="Look at, correct and trust a 10x Visium HD sample.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def main() -> None:
    """Run the command line, turning what goes wrong into a sentence and an exit code."""
    try:
        app(standalone_mode=False)
    except VhdError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("cancelled", CancelledError.exit_code)
    except MemoryError:
        _fail("memory ran out; choose a smaller region.", 3)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; free space or change permissions.", 1)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")):
            said = str(getattr(error, "message", "") or error)
            _fail(f"{said.removeprefix('Value error, ').rstrip('.')}; see napari-vhd --help.", 2)
        _fail(f"unexpected {type(error).__name__}: {error}; please report it.", 1)


def _fail(sentence: str, code: int) -> None:
    typer.echo(f"napari-vhd: {sentence}", err=True)
    sys.exit(code)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="A new folder for the sample.")],
    size_px: Annotated[int, typer.Option(help="Side of the image, full-resolution px.")] = 1600,
    cells: Annotated[int | None, typer.Option(help="Number of cells; natural density.")] = None,
    genes: Annotated[int, typer.Option(help="Number of genes.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sample.")] = 0,
    umis_per_bin: Annotated[float, typer.Option(help="Mean UMIs of a 2 µm bin in tissue.")] = 11.0,
    sample_id: Annotated[str, typer.Option("--id", help="Id of the sample.")] = "SIM",
    picture: Annotated[Path | None, typer.Option(help="A real H&E to place cells on.")] = None,
    reference: Annotated[Path | None, typer.Option(help="Real single cells (h5ad).")] = None,
    cell_type_col: Annotated[str | None, typer.Option(help="Column of types in it.")] = None,
    layout: Annotated[Path | None, typer.Option(help="Real types of 8 µm bins (CSV).")] = None,
) -> None:
    """Make a sample with known truth, in Space Ranger's own files."""
    from napari_vhd.io.simulate import simulate as make

    make(
        out,
        size_px=size_px,
        cells=cells,
        genes=genes,
        seed=seed,
        umis_per_bin=umis_per_bin,
        sample_id=sample_id,
        picture=picture,
        reference=reference,
        cell_type_col=cell_type_col,
        layout=layout,
    )
    typer.echo(str(out.resolve()))


@app.command()
def run(
    config: Annotated[Path | None, typer.Argument(help="The YAML file.")] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Go on with this run folder (several samples: their parent)."),
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="From this stage on.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this stage.")] = None,
    force: Annotated[bool, typer.Option(help="Also where nothing changed.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask scheduler.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Local processes for patches.")] = 1,
    json_: Json = False,
    params: Annotated[bool, typer.Option("--params", help="List the parameters.")] = False,
) -> None:
    """Run every stage of a config that is missing or out of date."""
    from napari_vhd.config import RunConfig

    if params:
        _list_parameters()
        return
    if config is None:
        raise BadInputError("run: name a config file; napari-vhd simulate writes an example.")
    if scheduler is not None and workers > 1:
        raise BadInputError("run: give --workers or --scheduler, not both.")
    from napari_vhd.progress import JsonLines, Lines
    from napari_vhd.runner.run import run_config

    show = JsonLines() if json_ else Lines()
    folders = run_config(
        RunConfig.from_yaml(config),
        run_dir=run_dir,
        only=only,
        from_=from_,
        until=until,
        force=force,
        scheduler=scheduler,
        workers=workers,
        listen=show.listen,
    )
    for folder in folders:
        show.result(folder)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Where the demo goes.")] = Path("demo"),
    headless: Annotated[bool, typer.Option(help="Without a window.")] = False,
    json_: Json = False,
) -> None:
    """Make a sample on the spot and run every stage on it."""
    from napari_vhd.io.simulate import simulate as make

    if not headless:
        _check_window()
    sample = folder / "sample"
    if _latest_run(sample / "processed") is None:
        _check_engines()
    if not (sample / "config.yaml").is_file():
        typer.echo(f"making a sample in {sample}", err=True)
        make(sample)
    run_dir = _latest_run(sample / "processed")
    run(sample / "config.yaml", run_dir=run_dir, json_=json_)
    run_dir = _latest_run(sample / "processed")
    if run_dir is None:
        return
    if headless:
        typer.echo(f"pictures of every stage: {run_dir / keys.FIGURES}", err=True)
    else:
        _show(run_dir)


@app.command("open")
def open_(
    path: Annotated[
        Path, typer.Argument(help="Run folder, Space Ranger folder or SpatialData zarr.")
    ],
    author: Annotated[str, typer.Option(help="Who corrects: initials or an id.")] = "",
    screenshot: Annotated[
        Path | None, typer.Option(help="Save a picture of the window (PNG) and end.")
    ] = None,
) -> None:
    """Open a sample in napari."""
    from napari_vhd.io.source import open_source

    if screenshot is not None and not screenshot.absolute().parent.is_dir():
        raise BadInputError(f"{screenshot}: its folder is not there; make it first.")
    # What is wrong with it is better said here than in a window.
    open_source(path).close()
    _check_window()
    _show(path, author, screenshot)


def _check_engines() -> None:
    """Raise where a stage could not run, before anything is made."""
    from napari_vhd.doctor import missing_engines

    if missing := missing_engines():
        raise MissingEngineError(
            f"the demo runs every stage, and {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not installed; napari-vhd doctor tells how to "
            "add what is missing. A finished demo needs none of it: File > Open Sample in napari."
        )


def _check_window() -> None:
    """Raise where no window can be shown, before anything is done."""
    from importlib.util import find_spec

    if not any(find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5")):
        raise MissingEngineError(
            "there is nothing to draw windows with; add it with: pip install 'napari-vhd[pyqt6]'"
        )
    screen = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in screen):
        raise BadInputError(
            "there is no screen here (DISPLAY is not set); use a desktop, ssh -X, or put xvfb-run "
            "before the command; napari-vhd run needs none."
        )


def _show(path: Path, author: str = "", screenshot: Path | None = None) -> None:
    from napari_vhd.widgets.window import show

    show(path, author, screenshot)


def _latest_run(processed: Path) -> Path | None:
    """Find the newest run folder, to go on with."""
    runs = sorted(processed.glob(f"*/{keys.RUN_FILE}"), key=lambda file: file.stat().st_mtime)
    return runs[-1].parent if runs else None


@app.command()
def status(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json_: Json = False,
) -> None:
    """Tell which stages are done, stale or missing."""
    from napari_vhd.runner.run import status_of

    found = status_of(run_dir)
    for row in found.steps:
        if json_:
            typer.echo(json.dumps(dataclasses.asdict(row), ensure_ascii=False))
        else:
            typer.echo(f"{row.stage:<12} {row.status:<8} {row.reason}".rstrip())
    if found.problem:
        typer.echo(f"as written down, not held against its sources: {found.problem}", err=True)


class CorrectionsAction(StrEnum):
    """What to do with the ledger of a run folder."""

    LIST = "list"
    VERIFY = "verify"
    REPLAY = "replay"
    MERGE = "merge"
    RECOVER = "recover"
    UPDATE = "update"
    OUTLINES = "outlines"


@app.command()
def corrections(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    action: Annotated[CorrectionsAction, typer.Argument(help="What to do.")],
    other: Annotated[
        Path | None,
        typer.Argument(
            help="merge: another run folder, or its ledger. outlines: a new store (….zarr) for the "
            "corrected outlines, which a run takes as params: boundaries."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="list: write a CSV file.")] = None,
    author: Annotated[str, typer.Option(help="update: who asks for it; initials or an id.")] = "",
) -> None:
    """List, verify, replay, merge or recover corrections; update single cells; write outlines."""
    from napari_vhd.corrections import report

    with_other = action in (CorrectionsAction.MERGE, CorrectionsAction.OUTLINES)
    if (other is None) == with_other:
        raise BadInputError("corrections: OTHER is given with merge or outlines, and only there.")
    if action is CorrectionsAction.LIST:
        lines = report.listed(run_dir, csv)
    elif action is CorrectionsAction.VERIFY:
        lines = report.verified(run_dir)
    elif action is CorrectionsAction.REPLAY:
        lines = report.replayed(run_dir)
    elif action is CorrectionsAction.RECOVER:
        lines = report.recovered(run_dir)
    elif action is CorrectionsAction.UPDATE:
        lines = _updated(run_dir, author)
    elif action is CorrectionsAction.OUTLINES:
        lines = _outlines(run_dir, other or run_dir)
    else:
        lines = report.merged(run_dir, other or run_dir)
    for line in lines:
        typer.echo(line)


def _updated(run_dir: Path, author: str) -> Iterator[str]:
    """Bring single cells up to date; say what was done and what is left."""
    from napari_vhd.corrections import report
    from napari_vhd.session import Session

    report.ledger_of(run_dir)
    with Session.open(run_dir, author=author) as session:
        yield session.update().sentence


def _outlines(run_dir: Path, path: Path) -> Iterator[str]:
    """Write the corrected outlines."""
    from napari_vhd.corrections import report
    from napari_vhd.export.outlines import write_outlines

    with report.replayed_from(run_dir) as reviewed:
        yield from write_outlines(reviewed, path)


@app.command()
def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="A YAML file: memory is held against its samples' need.")
    ] = None,
    json_: Json = False,
) -> None:
    """Tell what is here, what is missing and the command that mends it."""
    from napari_vhd.config import RunConfig
    from napari_vhd.doctor import examine

    findings = examine(config=None if config is None else RunConfig.from_yaml(config))
    marks = {"ok": "ok      ", "missing": "MISSING ", "optional": "optional"}
    for finding in findings:
        if json_:
            typer.echo(json.dumps(dataclasses.asdict(finding), ensure_ascii=False))
            continue
        mend = f"\n{'':<41}-> {finding.mend}" if finding.mend else ""
        typer.echo(f"{marks[finding.status]} {finding.what:<31} {finding.detail}{mend}")
    if any(finding.status == "missing" for finding in findings):
        raise StageError("something is missing; the commands above add it.")


def _list_parameters() -> None:
    """Print every parameter with its default, unit and meaning."""
    from typing import get_type_hints

    from napari_vhd.config import Params, ProsegSettings

    for section, prefix in ((Params, ""), (ProsegSettings, "proseg: ")):
        hints = get_type_hints(section, include_extras=True)
        for field in dataclasses.fields(section):
            info: Any = hints[field.name].__metadata__[0]
            default = "{}" if field.name == "proseg" else _yaml(field.default)
            unit = (info.json_schema_extra or {}).get("unit", "")
            unit = f" [{unit}]" if unit else ""
            typer.echo(f"{prefix}{field.name}: {default}{unit}\n    {info.description}")


def _yaml(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
