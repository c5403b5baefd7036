"""What a variant's name means: its services, and the commits from which their source is taken."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import distributions
from json import loads
from os.path import normpath
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from harness import git
from harness.configuration.load import Project
from harness.configuration.placeholders import fill, named
from harness.configuration.schema import Override, Service
from harness.errors import ExitCode, HarnessError
from harness.measure import source
from harness.measure.source import Commit
from harness.model import Side, Source

Kind = Literal["local", "docker"]
"""How services run."""
GIT = "git:"
"""Before a ref: the configured system, its services' own settings, at that commit."""
_OWN = ("port", "host", "data", "secret")
"""Placeholders that are filled in for each service or session."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The source of one service, at a commit."""

    commit: Commit
    path: PurePosixPath
    """The service's folder in the repository."""
    tree: str
    """The hash of that folder's files."""


@dataclass(frozen=True, slots=True)
class Configured:
    """A variant, before anything of it runs."""

    origin: str
    services: Mapping[str, Service]
    """With what the variant changes of them."""
    taken: Mapping[str, Taken]
    """Service -> its source, for those that do not run from the working tree."""
    places: Mapping[str, str]
    """Service -> the folder that it runs in or, in Docker, is built from, as the configuration says it."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Service -> where it runs already."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """The same, for the record."""
        return {name: Source(t.commit.ref, t.commit.hash, t.commit.tree) for name, t in self.taken.items()}

    def folders(self, project: Project, exports: Path, mark: Mapping[str, str]) -> Mapping[str, Path]:
        """Service -> the folder that it runs in or is built from; commits are exported into ``exports``, each once.

        ``mark`` is in the environment of what writes them. Raises HarnessError (12) when they cannot be written.
        """
        folders = {name: project.system_folder / place for name, place in self.places.items()}
        for commit in dict.fromkeys(taken.commit for taken in self.taken.values()):
            if not (exports / commit.hash).exists():
                source.export(commit, exports / commit.hash, mark)
        return folders | {name: exports / t.commit.hash / t.path for name, t in self.taken.items()}


def configured(project: Project, origin: str, kind: Kind = "local") -> Configured:
    """The variant ``origin``: of the configuration by name, or ``git:REF``. Raises HarnessError (4) when there is none,
    or when a service's source cannot be had at that commit."""
    if origin.startswith(GIT):
        services = project.system.services
        refs = dict.fromkeys(services, origin.removeprefix(GIT))
        places = _places(services, kind)
        return Configured(origin, services, _taken(project, places, refs, whole=origin), places)
    overrides = project.system.variants.get(origin)
    if overrides is None:
        there = ", ".join(sorted(project.system.variants))
        message = f"{project.file}: no variant {origin!r}; there are {there}, and {GIT}REF for a commit"
        raise HarnessError(message, ExitCode.USAGE)
    _refuse_unused(project, origin, kind)
    services = {name: _with(service, overrides.get(name)) for name, service in project.system.services.items()}
    refs = {name: override.ref for name, override in overrides.items() if override.ref is not None}
    urls = {name: override.url for name, override in overrides.items() if override.url is not None}
    if kind == "docker":
        _refuse_own_addresses(project, services, urls)
    places = _places(services, kind)
    return Configured(origin, services, _taken(project, places, refs), places, urls)


def _refuse_unused(project: Project, origin: str, kind: Kind) -> None:
    """Raise HarnessError (4) when the variant changes what a stack of this kind does not use."""
    key, instead = ("image", "a local process") if kind == "local" else ("command", "a container")
    for name, override in project.system.variants[origin].items():
        if getattr(override, key) is not None:
            message = (
                f"variants.{origin}.{name}.{key}: {instead} does not use it: --stack {kind} cannot run this variant"
            )
            raise HarnessError(f"{project.file}: {message}", ExitCode.USAGE)


def _refuse_own_addresses(project: Project, services: Mapping[str, Service], urls: Mapping[str, str]) -> None:
    """Raise HarnessError (4) when a service in a container is told an address that means the container itself there."""
    own = {name: url for name, url in urls.items() if _means_itself(url)}
    for name, service in services.items():
        command = (service.container.command or ()) if service.container is not None else ()
        texts = (*service.settings.values(), *command)
        asked = {placeholder.rpartition(".")[0] for text in texts for placeholder in named(text)}
        for elsewhere in sorted(own.keys() & asked) if name not in urls else ():
            message = (
                f"{project.file}: services.{name}: asks {elsewhere} at {own[elsewhere]}, which no container reaches: "
                "give an address of this machine that is no loopback address"
            )
            raise HarnessError(message, ExitCode.USAGE)


def _means_itself(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "0.0.0.0"  # noqa: S104


def _places(services: Mapping[str, Service], kind: Kind) -> Mapping[str, str]:
    """Where a service's source is; in Docker only what is built here has any."""
    if kind == "local":
        return {name: service.directory for name, service in services.items()}
    builds = {name: service.container.build for name, service in services.items() if service.container}
    return {name: build.context for name, build in builds.items() if build is not None}


def _with(service: Service, override: Override | None) -> Service:
    if override is None:
        return service
    changes: dict[str, object] = {"settings": service.settings | override.settings}
    if override.command is not None:
        changes["command"] = override.command
    if override.image is not None and service.container is not None:
        changes["container"] = service.container.model_copy(update={"image": override.image, "build": None})
    return service.model_copy(update=changes)


def _taken(
    project: Project, places: Mapping[str, str], refs: Mapping[str, str], whole: str = ""
) -> Mapping[str, Taken]:
    """Of the services in ``refs`` those whose folder (of ``places``) is in the repository; all have to be, unless
    ``whole`` was asked for, a variant that is as a whole from a commit."""
    if not refs:
        return {}
    top = source.repository_of(project.system_folder)
    commits = {ref: source.resolve(top, ref) for ref in dict.fromkeys(refs.values())}
    for commit in commits.values():
        source.check(commit)
    taken = {}
    for name, ref in refs.items():
        folder = Path(normpath(project.system_folder / places[name])) if name in places else None
        if folder is not None and folder.is_relative_to(top):
            path = PurePosixPath(folder.relative_to(top))
            taken[name] = Taken(commits[ref], path, source.tree_of(commits[ref], path))
        elif not whole:
            where = "an image that is not built here" if folder is None else f"{folder} is not in the repository {top}"
            message = f"{project.file}: services.{name}: {where}, so it has no ref {ref!r:.80}"
            raise HarnessError(message, ExitCode.USAGE)
    if not taken:
        message = f"{whole}: no service runs in, or is built from, a folder of {top}: nothing is taken from the commit"
        raise HarnessError(message, ExitCode.USAGE)
    return taken


def used_of(variant: Configured, kind: Kind) -> Mapping[str, Mapping[str, object]]:
    """Service -> what a stack of this kind uses of its table; without the settings, and without how long it may take
    to start and stop."""
    unused: set[str] = {"container"} if kind == "local" else {"command", "directory"}
    patience = {"settings", "ready_within", "stop_within"}
    return {name: service.model_dump(exclude=unused | patience) for name, service in variant.services.items()}


def refuse_identical(project: Project, before: Configured, after: Configured, kind: Kind = "local") -> None:
    """Raise HarnessError (13) when two variants of different names run the same: a comparison would say nothing."""
    if before.origin == after.origin or _runs(project, before, kind) != _runs(project, after, kind):
        return
    trees = dict.fromkeys(f"tree {taken.commit.tree[:12]}" for taken in before.taken.values())
    where = " and ".join(trees) or "the working tree"
    message = (
        f"variants {before.origin} and {after.origin} are identical: the same "
        f"{'commands' if kind == 'local' else 'images'} and settings of "
        f"{', '.join(before.services)}, all from {where}; for an A/A run give the same name twice"
    )
    raise HarnessError(message, ExitCode.BASELINE)


def _runs(project: Project, variant: Configured, kind: Kind) -> Mapping[str, object]:
    """Service -> all that decides what it does on a stack of this kind. What differs from one to the next of them is
    the same here."""
    own = [*_OWN, *(f"{name}.{what}" for name in variant.services for what in ("host", "port", "url"))]
    values = {name: f"\0{name}\0" for name in own} | {"python": sys.executable}
    used = used_of(variant, kind)
    found: dict[str, object] = {}
    for name, service in variant.services.items():
        if name in variant.urls:
            found[name] = variant.urls[name]
            continue
        where = f"{project.file}: services.{name}"
        filled: dict[str, object] = {
            "settings": {key: fill(text, values, f"{where}.settings.{key}") for key, text in service.settings.items()}
        }
        if kind == "local":
            filled["command"] = [fill(word, values, f"{where}.command") for word in service.command]
        taken = variant.taken.get(name)
        found[name] = ({**used[name], **filled}, None if taken is None else (taken.commit.tree, taken.path))
    return found


def notes_of_sources(project: Project, variants: Mapping[Side, Configured], kind: Kind) -> tuple[str, ...]:
    """What every report has to say of sources that were taken from commits; nothing when none was."""
    commits = dict.fromkeys(taken.commit for variant in variants.values() for taken in variant.taken.values())
    if not commits:
        return ()
    found = [line for side, variant in variants.items() for line in _exports(side, variant, kind)]
    repository = next(iter(commits)).repository
    results = project.reports if project.reports.is_relative_to(repository) else None
    if git.has_changes(repository, results):
        refs = ", ".join(dict.fromkeys(f"{GIT}{commit.ref}" for commit in commits))
        found.append(f"The working tree has uncommitted changes; they are not in {refs}.")
    found += _same_folders(variants)
    if kind == "local" and (in_place := sorted(installed_in_place(repository))):
        found.append(
            f"Installed in place from the working tree: {', '.join(in_place)}. A service that imports it as installed, "
            "and not from its own folder, does not get it from a commit."
        )
    return tuple(found)


def _exports(side: Side, variant: Configured, kind: Kind) -> Iterator[str]:
    for commit in dict.fromkeys(taken.commit for taken in variant.taken.values()):
        names = ", ".join(name for name, taken in variant.taken.items() if taken.commit == commit)
        which = f"commit {commit.short} ({commit.ref}, tree {commit.tree[:12]})"
        if kind == "docker":
            yield f"{side}: {names} ran in an image built from a clean export of {which}."
        else:
            yield f"{side}: {names} ran in a clean export of {which}; what is installed is this environment's."


def _same_folders(variants: Mapping[Side, Configured]) -> list[str]:
    """A note when the commits differ, but none of the folders that the services run in."""
    before, after = ({name: (t.path, t.tree) for name, t in variant.taken.items()} for variant in variants.values())
    commits = [{taken.commit.tree for taken in variant.taken.values()} for variant in variants.values()]
    if before != after or commits[0] == commits[1]:
        return []
    return [f"The folders of {', '.join(before)} are the same at both commits: only files outside them differ."]


def installed_in_place(repository: Path) -> Iterator[str]:
    """Distributions of this environment that are installed as a link to a folder in ``repository`` (PEP 610)."""
    for distribution in distributions():
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = loads(distribution.read_text("direct_url.json") or "{}")
            editable = told.get("dir_info", {}).get("editable", False)
            address = urlsplit(told.get("url", ""))
            if (
                editable
                and address.scheme == "file"
                and Path(unquote(address.path)).resolve().is_relative_to(repository)
            ):
                yield distribution.metadata["Name"]
