"""The YAML file of a run: paths, samples, parameters, marker genes."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from . import keys
from .exceptions import BadInputError
from .parameters import (
    AggregationParameters,
    BinParameters,
    BinSize,
    BoundariesChoice,
    BoundariesFile,
    BoundariesParameters,
    CelltypistParameters,
    ClusteringColumn,
    CountsChoice,
    DomainsParameters,
    EnrichmentParameters,
    FlashdeconvParameters,
    NeighborsParameters,
    Params,
    PatchesParameters,
    ProsegParameters,
    ProsegSettings,
    QcParameters,
    RctdParameters,
    ReadParameters,
    ReferenceParameters,
    RegionParameters,
    Seeded,
    StardistParameters,
)

__all__ = [
    "AggregationParameters",
    "BinParameters",
    "BinSize",
    "BoundariesChoice",
    "BoundariesFile",
    "BoundariesParameters",
    "CelltypistParameters",
    "ClusteringColumn",
    "CountsChoice",
    "DomainsParameters",
    "EnrichmentParameters",
    "FlashdeconvParameters",
    "NeighborsParameters",
    "Params",
    "PatchesParameters",
    "Paths",
    "ProsegParameters",
    "ProsegSettings",
    "QcParameters",
    "RctdParameters",
    "ReadParameters",
    "ReferenceParameters",
    "RegionParameters",
    "RunConfig",
    "SampleConfig",
    "Seeded",
    "StardistParameters",
    "check_name",
]

MAX_CONFIG_BYTES = 1_000_000
MAX_CONFIG_DEPTH = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10)}


@dataclass(frozen=True)
class Paths:
    """Where things are; relative to the config file.

    ``spaceranger_outs`` holds a folder for each sample, ``<id>/outs``; for a single sample it may
    also be the folder that holds ``outs``, or ``outs`` itself.
    """

    spaceranger_outs: str
    processed: str = "processed"
    figures: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class SampleConfig:
    """One sample: its id names elements and files, its name the run folder."""

    id: str
    name: str | None = None
    fullres_image: str | None = None
    region: tuple[float, float, float, float] | str | None = None


@dataclass(frozen=True)
class RunConfig:
    """A whole run, as the YAML file says it.

    Attributes
    ----------
    paths, samples, params, marker_genes
        As in the file.
    base
        Folder that relative paths start from (not in the file).
    """

    paths: Paths
    samples: tuple[SampleConfig, ...]
    params: Params = field(default_factory=Params)
    marker_genes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_yaml(cls, path: str | Path) -> RunConfig:
        """Read and check a config file.

        Raises
        ------
        BadInputError
            Naming the file, the key, the value and the mend.
        """
        path = Path(path)
        return cls.from_dict(_load_yaml(path), source=str(path)).resolved(path.resolve().parent)

    @classmethod
    def from_dict(cls, data: object, source: str = "config") -> RunConfig:
        """Check what a YAML or JSON file holds (paths are left as they are).

        Raises
        ------
        BadInputError
            Naming the source, the key, the value and the mend.
        """
        if not isinstance(data, dict):
            raise BadInputError(
                f"{source}: expected the sections paths, samples, params and marker_genes, "
                f"found {type(data).__name__}; see the README for an example."
            )
        try:
            # An empty section in YAML is None: the same as a section left out.
            text = json.dumps({key: value for key, value in data.items() if value is not None})
        except (TypeError, ValueError) as error:
            raise BadInputError(f"{source}: {error}; write plain numbers and text.") from error
        try:
            config = _ADAPTER.validate_json(text, strict=True)
        except ValidationError as error:
            raise BadInputError(f"{source}: {_sentence(error)}") from error
        _check(config, source)
        return config

    def resolved(self, base: Path) -> RunConfig:
        """Make every path absolute, relative ones starting from `base`."""

        def absolute(value: str | None) -> str | None:
            return None if value is None else str((base / Path(value).expanduser()).resolve())

        def weights(value: str) -> str:
            # A name such as MICS-Lab/novae-human-0 stays a name unless such a path exists.
            path = (base / Path(value).expanduser()).resolve()
            return str(path) if path.exists() else value

        samples = tuple(
            dataclasses.replace(
                s,
                fullres_image=absolute(s.fullres_image),
                region=absolute(s.region) if isinstance(s.region, str) else s.region,
            )
            for s in self.samples
        )
        paths = Paths(**{k: absolute(v) for k, v in dataclasses.asdict(self.paths).items()})  # type: ignore[arg-type]
        params = dataclasses.replace(
            self.params,
            boundaries=absolute(self.params.boundaries),
            stardist_model=weights(self.params.stardist_model),
            novae_model=self.params.novae_model and weights(self.params.novae_model),
            celltypist_model=weights(self.params.celltypist_model),
        )
        return dataclasses.replace(self, paths=paths, samples=samples, params=params)

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back to an equal config."""
        data: dict[str, Any] = json.loads(_ADAPTER.dump_json(self))
        return data

    def to_yaml(self) -> str:
        """Give the config as a YAML text that `from_yaml` reads."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)


def check_name(value: str, where: str) -> None:
    """Raise unless a name is safe as part of element and file names.

    Raises
    ------
    BadInputError
        Naming the place and the value.
    """
    if not _NAME.fullmatch(value) or value.lower().split(".")[0] in _RESERVED or ".." in value:
        raise BadInputError(
            f"{where} {value!r} cannot be used in file names; use up to 100 letters, digits, "
            "'_', '-' and '.', starting with a letter or digit."
        )


def _check(config: RunConfig, source: str) -> None:
    """Check what a schema cannot say."""
    if not config.samples:
        raise BadInputError(f"{source}: samples is empty; name at least one with its id.")
    seen: set[str] = set()
    for sample in config.samples:
        for key, value in (("id", sample.id), ("name", sample.name or sample.id)):
            check_name(value, f"{source}: samples: {key}")
        if sample.id.lower() in seen:
            raise BadInputError(f"{source}: samples: id {sample.id!r} is there twice.")
        seen.add(sample.id.lower())
    low, high = config.params.domain_range
    if low > high:
        raise BadInputError(
            f"{source}: params: domain_range [{low}, {high}] is inverted; write [{high}, {low}]."
        )
    match = re.fullmatch(keys.domains(0)[:-1] + r"(\d+)", config.params.clustering_col)
    if match and not low <= int(match[1]) <= high:
        raise BadInputError(
            f"{source}: params: clustering_col {config.params.clustering_col!r} is not computed "
            f"with domain_range [{low}, {high}]; widen the range or choose "
            f"{keys.domains(high)!r}."
        )
    if config.params.umi_min > config.params.umi_max:
        raise BadInputError(
            f"{source}: params: umi_min {config.params.umi_min} is above umi_max "
            f"{config.params.umi_max}; exchange them."
        )
    if config.params.patch_overlap * 2 >= config.params.patch_width:
        raise BadInputError(
            f"{source}: params: patch_overlap {config.params.patch_overlap} px must be less than "
            f"half of patch_width {config.params.patch_width} px."
        )
    for name in config.marker_genes:
        if not name.strip() or "/" in name:
            raise BadInputError(
                f"{source}: marker_genes: {name!r} cannot name a signature; use a name without '/'."
            )


def _refuse_bombs(text: str, path: Path) -> None:
    """Raise for what would grow or nest without end; stops at the first such token."""
    starts = (
        yaml.FlowSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.BlockSequenceStartToken,
        yaml.BlockMappingStartToken,
    )
    ends = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
    depth = 0
    for token in yaml.scan(text, yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken):
            raise BadInputError(f"{path}: YAML aliases (*name) are not read; write values out.")
        depth += isinstance(token, starts) - isinstance(token, ends)
        if depth > MAX_CONFIG_DEPTH:
            raise BadInputError(f"{path}: nested too deeply to be a config file.")


def _load_yaml(path: Path) -> object:
    """Load a small YAML file without aliases."""
    try:
        if not path.is_file():
            raise BadInputError(f"{path}: there is no such config file; check the path.")
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise BadInputError(f"{path}: larger than 1 MB, which no config file is.")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path}: not a UTF-8 text file; save it as UTF-8.") from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        _refuse_bombs(text, path)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise BadInputError(f"{path}: not valid YAML{line} ({problem}).") from error


_SECTIONS = {"params": Params, "paths": Paths, "samples": SampleConfig, "proseg": ProsegSettings}


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys that are allowed beside an unknown one."""
    section: Any = RunConfig
    for part in location:
        if isinstance(part, int):
            continue
        section = _SECTIONS.get(part, section)
    return _names(section)


def _names(section: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(section)]


def _sentence(error: ValidationError) -> str:
    """Say the first thing that is wrong, with the nearest known key for an unknown one."""
    first = error.errors(include_url=False)[0]
    location = tuple(p for p in first["loc"] if p not in {"str", "function-plain[_]"})
    where = ": ".join(str(p) for p in location if not str(p).startswith(("tuple[", "nullable")))
    if first["type"] == "unexpected_keyword_argument":
        key = str(location[-1])
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        places = [name for name, section in _SECTIONS.items() if key in _names(section)]
        if near:
            mend = f"did you mean {near[0]!r}?"
        elif places:
            mend = f"it belongs under {places[0]!r}."
        else:
            mend = f"known are {', '.join(known)}."
        return f"unknown key {where!r}; {mend}"
    if first["type"] in {"missing", "missing_argument"}:
        return f"{where} is missing; add it."
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{where}: {first['input']!r} does not fit: {message}."


for _section in (RunConfig, Paths, SampleConfig, Params, ProsegSettings):
    setattr(_section, "__pydantic_config__", ConfigDict(extra="forbid"))  # noqa: B010
_ADAPTER = TypeAdapter(RunConfig)
