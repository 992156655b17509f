"""What the result of a stage depends on, apart from the stages before it.

A recipe holds everything in a form that can be compared part by part, so that a plan can say in
words why a stage is out of date. Nothing here imports what a stage imports.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import json
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_vhd.exceptions import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_vhd.stages.stage import Inputs, Stage

SMALL_FILE_BYTES = 64 * 2**20
_END_BYTES = 2**20
_PACKAGE = __name__.split(".")[0]
# Contracts that say nothing about how a result is computed.
_NOT_CODE = frozenset(
    f"{_PACKAGE}{name}"
    for name in ("", ".keys", ".exceptions", ".config", ".parameters", ".stages.stage")
)


@dataclass(frozen=True)
class Recipe:
    """What a result depends on.

    Attributes
    ----------
    parameters
        The stage's own.
    sample
        What the stage's code reads of the sample's config: region, signatures, source.
    files
        Name of each input file or folder of weights -> its identity.
    code
        Digest of the stage's module and of the modules of this package that it imports.
    """

    parameters: Mapping[str, Any]
    sample: Mapping[str, Any]
    files: Mapping[str, str]
    code: str

    def digest(self, inputs: Mapping[str, int]) -> str:
        """Make one hash of all this and of the versions of the stages before."""
        text = json.dumps([dataclasses.asdict(self), dict(inputs)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return dataclasses.asdict(self)


def recipe_of(stage: Stage, inputs: Inputs) -> Recipe:
    """Find what a stage's result depends on.

    Raises
    ------
    BadInputError
        Where a file that it reads is not there.
    """
    module = module_of(stage)
    parameters = dataclasses.asdict(inputs.config.params.of(stage.parameters))
    read = attributes_read(module)
    sample: dict[str, Any] = {}
    if "region" in read:
        sample["region"] = _without_folders(inputs.sample.region)
    if "marker_genes" in read:
        sample["marker_genes"] = inputs.config.marker_genes
    files = list(stage.files(inputs))
    if isinstance(inputs.sample.region, str) and "region" in read:
        files.append(Path(inputs.sample.region))
    if not stage.needs or read & {"outs", "image"}:
        files += _source_files(inputs)
    plain = json.loads(json.dumps([_without_folders(parameters), sample]))
    return Recipe(plain[0], plain[1], _identities(files, inputs.outs), code_digest(module))


def address_of(stage: Stage) -> str:
    """Say where a stage can be imported from, as ``"module:attribute"``.

    Raises
    ------
    TypeError
        Where it is not an attribute of the module that defines its function.
    """
    module = module_of(stage)
    for name, value in vars(sys.modules[module]).items():
        if value is stage:
            return f"{module}:{name}"
    raise TypeError(f"stage {stage.name} is not an attribute of {module}")


def module_of(stage: Stage) -> str:
    """Name the module that defines a stage's function, looking through `each`."""
    function = stage.run
    for value in inspect.getclosurevars(function).nonlocals.values():
        if inspect.isfunction(value):
            function = value
    return function.__module__


@lru_cache(maxsize=256)
def code_digest(module: str) -> str:
    """Hash the source of a module and of the modules of this package that it imports."""
    digest = hashlib.sha256()
    for path in _sources(module).values():
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def attributes_read(module: str) -> frozenset[str]:
    """Name the attributes (``x.name``) that a stage reads, also in modules that stages share."""
    shared = f"{_PACKAGE}.stages."
    trees = [
        _tree(path)
        for name, path in _sources(module).items()
        if name == module or name.startswith(shared)
    ]
    return frozenset(
        node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    )


@lru_cache(maxsize=256)
def _sources(module: str) -> dict[str, Path]:
    """Find the files of a module and of the modules of this package that it imports."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = None if name in found else _source_path(name)
        if path is not None:
            found[name] = path
            waiting += sorted(_imported(path, name) - _NOT_CODE)
    return dict(sorted(found.items()))


def identity(path: Path) -> str:
    """Tell a file or folder by its content; a big file by size, time and both ends.

    Raises
    ------
    BadInputError
        Where it cannot be read.
    """
    try:
        if path.is_dir():
            digest = hashlib.sha256()
            for file in sorted(p for p in path.rglob("*") if p.is_file()):
                name = file.relative_to(path).as_posix()
                digest.update(f"{name}\0{identity(file)}\0".encode())
            return f"sha256:{digest.hexdigest()}"
        status = path.stat()
        return _file_identity(str(path), status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise BadInputError(
            f"{path}: cannot be read ({error.strerror}); check the path in the config."
        ) from error


@lru_cache(maxsize=4096)
def _file_identity(path: str, size: int, modified_ns: int) -> str:
    with Path(path).open("rb") as file:
        if size < SMALL_FILE_BYTES:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        digest = hashlib.sha256(file.read(_END_BYTES))
        file.seek(-_END_BYTES, os.SEEK_END)
        digest.update(file.read())
    return f"size:{size} time:{modified_ns} ends:{digest.hexdigest()}"


def _identities(files: Iterable[Path], outs: Path) -> dict[str, str]:
    """Tell files by their content, under names that do not change when all is moved."""
    return {
        (path.relative_to(outs).as_posix() if path.is_relative_to(outs) else path.name): identity(
            path
        )
        for path in files
    }


def _source_files(inputs: Inputs) -> list[Path]:
    """List the counts and the picture of a sample."""
    counts = sorted(inputs.outs.glob("binned_outputs/square_*um/filtered_feature_bc_matrix.h5"))
    image = inputs.sample.fullres_image
    return counts if image is None else [*counts, Path(image)]


def _without_folders(value: Any) -> Any:
    """Leave the folder out of absolute paths: what they hold counts, not where they lie."""
    if isinstance(value, dict):
        return {key: _without_folders(entry) for key, entry in value.items()}
    if isinstance(value, str) and os.path.isabs(value):
        return Path(value).name
    return value


def _source_path(module: str) -> Path | None:
    spec = find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


@lru_cache(maxsize=256)
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@lru_cache(maxsize=256)
def _imported(path: Path, module: str) -> frozenset[str]:
    """Name the modules of this package that a module imports, at its top or in a function."""
    names: set[str] = set()
    inside = module.split(".")
    if path.name != "__init__.py":
        inside = inside[:-1]
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            stem = inside[: len(inside) - node.level + 1] if node.level else []
            base = ".".join([*stem, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(n for n in names if n.split(".")[0] == _PACKAGE and _is_module(n))


@lru_cache(maxsize=1024)
def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
