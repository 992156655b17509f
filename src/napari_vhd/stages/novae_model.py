"""A Novae model for some slides: loaded or made, trained, and asked for domains."""

from __future__ import annotations

import functools
import logging
import signal
import threading
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vhd import keys
from napari_vhd.exceptions import StageError
from napari_vhd.io.models import novae_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_vhd.parameters import DomainsParameters

    from .stage import Report

LATENT_CORRECTED = "novae_latent_corrected"
MIN_GENES = 20
"""Novae refuses fewer."""

_FEW_EPOCHS = 3
_LEAST_COMPONENT = 20
_MANY_CELLS = 20_000
_REMEMBERED_BYTES = 500_000_000


@dataclass(frozen=True)
class Size:
    """Size of a model that is trained from scratch; names as in ``novae.Novae``."""

    embedding_size: int
    hidden_size: int
    num_layers: int
    heads: int
    output_size: int
    num_prototypes: int
    n_hops_local: int
    n_hops_view: int
    background_noise_lambda: float = 8.0


@dataclass(frozen=True)
class Trained:
    """A model and how its training ended (no epochs, NaN: not trained here)."""

    model: Any
    epochs: int
    loss: float


def size_for(cells: int, genes: int, domains: int) -> Size:
    """Choose the size of a model by the number of cells it learns from.

    From 20,000 cells on it is Novae's own default (528,000 parameters). Below, that would take
    minutes and learn by heart: the model is small (23,000 parameters).

    Parameters
    ----------
    cells
        In neighbourhoods, over all slides.
    genes
        Highly variable ones. The embedding starts as their PCA and cannot have more components.
    domains
        The most that will be asked for. There are at least twice as many prototypes, of which
        domains are groups, and about eight cells a prototype.
    """
    prototypes = int(np.clip(cells // 8, 2 * domains, 512))
    most = min(cells, genes) - 1
    if cells >= _MANY_CELLS:
        return Size(min(100, most), 128, 10, 8, 64, prototypes, 2, 2)
    return Size(min(32, most), 32, 2, 2, 16, prototypes, 1, 1)


def in_neighborhoods(slide: AnnData) -> int:
    """Count the cells that are linked, directly or not, to at least 19 others."""
    from scipy.sparse.csgraph import connected_components

    _, labels = connected_components(slide.obsp["spatial_distances"], directed=False)
    sizes = np.bincount(labels)
    return int(sizes[sizes >= _LEAST_COMPONENT].sum())


def prepare_torch(seed: int, cells: int) -> None:
    """Make what follows repeatable, and not slower for few cells by sharing them among threads."""
    import torch
    from lightning import seed_everything

    with _quiet():
        seed_everything(seed, workers=True, verbose=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    if cells < _MANY_CELLS:
        torch.set_num_threads(1)


def trained(slides: Sequence[AnnData], parameters: DomainsParameters, report: Report) -> Trained:
    """Load a pretrained model and tune it, or train one on these slides.

    Parameters
    ----------
    slides
        As `novae.utils.prepare_adatas` left them.

    Raises
    ------
    StageError
        Where a pretrained model cannot be had, or does not know the genes.
    """
    import novae

    cells = [in_neighborhoods(slide) for slide in slides]
    batch_size = int(np.clip(min(cells) // 4, 8, 256))
    source = novae_source(parameters.novae_model)
    epochs = parameters.novae_max_epochs
    if source is None:
        genes = sorted(set().union(*(s.var_names[s.var["novae_use_gene"]] for s in slides)))
        size = size_for(sum(cells), len(genes), parameters.domain_range[1])
        model = novae.Novae(list(slides), var_names=genes, batch_size=batch_size, **asdict(size))
        return _fitted(model, model.fit, list(slides), epochs, report)
    model = _pretrained(source)
    known = set(model.cell_embedder.gene_names)
    common = sum(name.lower() in known for name in slides[0].var_names)
    if common < MIN_GENES:
        raise StageError(
            f"novae_model {parameters.novae_model!r} knows only {common} of the "
            f"{slides[0].n_vars} genes of the sample; use a model of the same species, or null."
        )
    model.hparams.batch_size = min(model.hparams.batch_size, batch_size)
    if epochs == 0:
        return Trained(model, 0, float("nan"))
    return _fitted(model, model.fine_tune, list(slides), epochs, report)


def represent(
    model: Any, slides: Sequence[AnnData], parameters: DomainsParameters, report: Report
) -> None:
    """Compute ``obsm["novae_latent"]`` of the slides, in place.

    A zero-shot model groups the cells by k-means into as many prototypes as it has; where there
    are fewer cells than that, into fewer, with a notice.
    """
    cells = sum(in_neighborhoods(slide) for slide in slides)
    head = model.swav_head
    if parameters.zero_shot and head.num_prototypes > cells // 2:
        fewer = max(parameters.domain_range[1], cells // 4)
        report.notice(
            f"{cells} cells are few for the {head.num_prototypes} prototypes of "
            f"novae_model {parameters.novae_model!r}; {fewer} are used."
        )
        head.num_prototypes = fewer
    with _quiet(), _inference_told(report):
        model.compute_representations(
            list(slides), zero_shot=parameters.zero_shot, accelerator=_accelerator()
        )


def assign(model: Any, slides: Sequence[AnnData], number: int) -> str:
    """Part the slides into domains, in place.

    Returns
    -------
    str
        ``novae_domains_<number>``: a column of labels such as ``D244``, missing where a cell has
        no neighbourhood; with the same categories, by number, in every slide.
        ``obsm["novae_latent_<number>"]`` is the latent representation, corrected between slides
        for these domains where there are several.
    """
    import novae

    column = keys.domains(number)
    with _quiet():
        model.assign_domains(list(slides), level=number, key_added=column)
    labels = sorted(
        set().union(*(slide.obs[column].dropna().unique() for slide in slides)), key=_by_number
    )
    for slide in slides:
        slide.obs[column] = slide.obs[column].astype("category").cat.set_categories(labels)
    if len(slides) > 1:
        # Novae's correction mistakes its own bookkeeping for a domain unless all slides have the
        # same categories, as they now have.
        with _quiet():
            novae.batch_effect_correction(list(slides), column)
    for slide in slides:
        latent = LATENT_CORRECTED if len(slides) > 1 else keys.LATENT
        slide.obsm[keys.latent(number)] = slide.obsm[latent].copy()
    return column


def _by_number(label: str) -> tuple[int, str]:
    digits = label.lstrip("D")
    return (int(digits), label) if digits.isdigit() else (0, label)


def _pretrained(source: str) -> Any:
    """Load a model from a folder or the hub."""
    import novae

    try:
        with _quiet():
            return novae.Novae.from_pretrained(source)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise StageError(
            f"novae_model {source!r} cannot be loaded ({type(error).__name__}); check the "
            "connection, use the folder of a saved Novae model, or null to train on this sample."
        ) from error


def _fitted(
    model: Any, fit: Any, slides: list[AnnData], max_epochs: int, report: Report
) -> Trained:
    """Train, told epoch by epoch."""
    told = _epochs_told(max_epochs, report)
    with _quiet():
        fit(
            slides,
            max_epochs=max_epochs,
            accelerator=_accelerator(),
            # The schedule divides by the epochs after two of warm-up.
            use_scheduler=max_epochs >= _FEW_EPOCHS,
            callbacks=[told],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    if not np.isfinite(told.loss):
        raise StageError(
            "Novae's training did not converge (its loss is not a number); use fewer "
            "novae_max_epochs or a pretrained novae_model."
        )
    report.progress(max_epochs, max_epochs, "training")
    return Trained(model, told.epochs, told.loss)


def _epochs_told(max_epochs: int, report: Report) -> Any:
    """Make the callback that tells each epoch, and keeps SIGTERM what it was."""
    from lightning.pytorch.callbacks import Callback

    class Told(Callback):
        epochs = 0
        loss = float("nan")

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            # Lightning would turn SIGTERM into an exception raised some batches later; a stage
            # that is ended should end.
            if handler is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)
            _remember(pl_module.dataset)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            self.epochs = trainer.current_epoch + 1
            self.loss = float(trainer.callback_metrics["train/loss_epoch"])
            report.progress(self.epochs, max_epochs, "training")
            report.log(f"Novae epoch {self.epochs}: loss {self.loss:.4f}")

    handler = signal.getsignal(signal.SIGTERM)
    return Told()


def _remember(dataset: Any) -> None:
    """Cut the neighbourhood of each cell out of its slide once, not twice an epoch.

    That is most of the time of a small training. Where all neighbourhoods together would need
    more than 0.5 GB they are cut anew each time, as Novae does.
    """
    needed = sum(
        slide.obsp["spatial_distances_local"].nnz * int(slide.var["novae_use_gene"].sum()) * 4
        for slide in dataset.adatas
    )
    if needed < _REMEMBERED_BYTES:
        dataset.to_pyg_data = functools.cache(dataset.to_pyg_data)


@contextmanager
def _inference_told(report: Report) -> Iterator[None]:
    """Tell the batches of Novae's inference in place of its progress bar."""
    import novae

    def told(batches: Any, **_: Any) -> Iterable[Any]:
        total = len(batches)
        for done, batch in enumerate(batches):
            report.progress(done, total, "representations")
            yield batch

    own = novae.utils.tqdm
    novae.utils.tqdm = told
    try:
        yield
    finally:
        novae.utils.tqdm = own


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back advice on hardware, loaders, loggers and Novae's other ways to assign domains."""
    names = ("lightning.pytorch", "lightning.fabric", "novae.model")
    loggers = [logging.getLogger(name) for name in names]
    levels = [log.level for log in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for log in loggers:
                log.setLevel(logging.ERROR)
            yield
        finally:
            for log, level in zip(loggers, levels, strict=True):
                log.setLevel(level)


def _accelerator() -> str:
    """Novae's default is the CPU even where there is a GPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def latent_rows(slide: AnnData, name: str) -> NDArray[np.float32]:
    """Latent representations with NaN, not Novae's zeros, for cells without neighbourhood."""
    latent = np.array(slide.obsm[name], dtype=np.float32)
    latent[~slide.obs["neighborhood_valid"].to_numpy(dtype=bool)] = np.nan
    return latent
