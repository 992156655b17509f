"""CellTypist model files, read through an allow-list.

A ``.pkl`` file can run any code when it is unpickled. Here only the few classes that a CellTypist
model is made of are ever looked up (measured for logistic regression and SGD models of
CellTypist 1.7.1, pickle protocols 2 to 5); everything else is refused before it is called.
"""

from __future__ import annotations

import pickle
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

_LOGISTIC = "sklearn.linear_model.LogisticRegression"
_SGD = "sklearn.linear_model.SGDClassifier"
_SCALER = "sklearn.preprocessing.StandardScaler"
_UNNEEDED = ""
"""Training leftovers that prediction does not use: replaced by an inert object."""

_ALLOWED = {
    "numpy.dtype": "numpy.dtype",
    "numpy.ndarray": "numpy.ndarray",
    **{
        f"{core}.{name}": f"numpy._core.{name}"
        for core in ("numpy.core", "numpy._core")
        for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
    },
    "sklearn.linear_model._logistic.LogisticRegression": _LOGISTIC,
    "sklearn.linear_model.logistic.LogisticRegression": _LOGISTIC,
    "sklearn.linear_model._stochastic_gradient.SGDClassifier": _SGD,
    "sklearn.linear_model.stochastic_gradient.SGDClassifier": _SGD,
    "sklearn.preprocessing._data.StandardScaler": _SCALER,
    "sklearn.preprocessing.data.StandardScaler": _SCALER,
    "_loss.CyHalfBinomialLoss": _UNNEEDED,
    "sklearn._loss._loss.CyHalfBinomialLoss": _UNNEEDED,
    "sklearn.linear_model._sgd_fast.Log": _UNNEEDED,
    "sklearn.linear_model.sgd_fast.Log": _UNNEEDED,
}


class _Inert:
    """Takes whatever a pickle gives it and does nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _Inert:
        return object.__new__(cls)

    def __setstate__(self, _state: Any) -> None:
        pass


class _NotAllowedError(Exception):
    """The pickle asks for something a model is not made of."""


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, by which old pickles write bytes."""
    if encoding != "latin1":
        raise _NotAllowedError(f"_codecs.encode to {encoding}")
    return text.encode("latin1")


class _ModelUnpickler(pickle.Unpickler):
    """Looks up only what `_ALLOWED` names; with ``inert=True`` not even that is imported."""

    def __init__(self, file: Any, *, inert: bool) -> None:
        super().__init__(file)
        self._inert = inert

    def find_class(self, module_name: str, global_name: str) -> Any:
        wanted = f"{module_name}.{global_name}"
        if wanted == "_codecs.encode":
            return _encode_latin1
        if wanted not in _ALLOWED:
            raise _NotAllowedError(wanted)
        target = _ALLOWED[wanted]
        if self._inert or target == _UNNEEDED:
            return _Inert
        module, name = target.rsplit(".", 1)
        return getattr(import_module(module), name)


def inspect_model(path: Path) -> None:
    """Check a model file without importing or making anything it names.

    Raises
    ------
    BadInputError
        If the file is no CellTypist model, or holds anything a model does not need.
    """
    _load(path, inert=True)


def read_model(path: Path) -> dict[str, Any]:
    """Read a CellTypist model file.

    Returns
    -------
    dict
        ``Model`` (the classifier, with ``features``), ``Scaler_`` and ``description``.

    Raises
    ------
    BadInputError
        If the file is no CellTypist model, or holds anything a model does not need.
    """
    parts = _load(path, inert=False)
    classifier = parts["Model"]
    complete = all(hasattr(classifier, name) for name in ("coef_", "classes_", "features"))
    if not complete or not hasattr(parts["Scaler_"], "scale_"):
        raise _no_model(path, "its classifier is not trained")
    return parts


def _load(path: Path, *, inert: bool) -> dict[str, Any]:
    try:
        # Models trained with another scikit-learn warn, and predict the same: only the
        # coefficients and the scaler's means are used.
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = _ModelUnpickler(file, inert=inert).load()
    except _NotAllowedError as error:
        raise BadInputError(
            f"{path}: refused, because the file asks for {error}, which no CellTypist model "
            "needs and which could run code on this machine; use a file written by CellTypist."
        ) from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}).") from error
    except Exception as error:
        raise _no_model(path, f"{type(error).__name__} while reading") from error
    if not isinstance(parts, dict) or not {"Model", "Scaler_", "description"} <= parts.keys():
        raise _no_model(path, "it lacks Model, Scaler_ or description")
    return parts


def _no_model(path: Path, why: str) -> BadInputError:
    return BadInputError(f"{path}: not a CellTypist model ({why}); use a file CellTypist wrote.")
