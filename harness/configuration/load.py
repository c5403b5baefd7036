"""Read and check a configuration; mistakes become one line each that name file, key, found and allowed."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.configuration.find import read_toml
from harness.configuration.schema import (
    Build,
    Configuration,
    Container,
    Controls,
    GatePolicy,
    History,
    MetricOverride,
    Override,
    RetryNames,
    Rounds,
    Service,
    System,
    Tune,
    TuneCache,
    TunePool,
    TuneRetry,
)
from harness.errors import ExitCode, HarnessError

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Project:
    """A checked configuration and the folders that its paths are relative to."""

    file: Path
    configuration: Configuration
    system: System
    system_folder: Path

    @property
    def folder(self) -> Path:
        """The folder of the configuration file."""
        return self.file.parent

    @property
    def reports(self) -> Path:
        """The folder of results."""
        return self.folder / self.configuration.reports

    @property
    def scenarios(self) -> tuple[Path, ...]:
        """The folders in which scenarios are looked for."""
        return tuple(self.folder / path for path in self.configuration.scenarios)


def load(file: Path) -> Project:
    """Read and check the configuration in ``file``; every mistake ends in a HarnessError with exit code 4."""
    file = file.resolve()
    table = read_toml(file)
    if file.name == "pyproject.toml":
        table = table.get("tool", {}).get("harness", {})
    configuration = _checked(Configuration, table, file)
    system, system_file = configuration.system, file
    if isinstance(system, str):
        system_file = (file.parent / system).resolve()
        system = _checked(System, read_toml(system_file), system_file)
    _check_references(system, system_file)
    return Project(file, configuration, system, system_file.parent)


def with_images(project: Project, images: Sequence[str]) -> Project:
    """The project with other images for some services, each ``SERVICE=IMAGE``, whatever service and variant say; a
    mistake is a HarnessError (4)."""
    services = dict(project.system.services)
    variants = {origin: dict(overrides) for origin, overrides in project.system.variants.items()}
    for text in images:
        name, _, image = text.partition("=")
        container = services[name].container if name in services else None
        if container is None or not image:
            allowed = ", ".join(name for name, service in services.items() if service.container) or "no service at all"
            message = f"--image {text}: found no SERVICE=IMAGE of a service with a container; these have one: {allowed}"
            raise HarnessError(message, ExitCode.USAGE)
        other = container.model_copy(update={"image": image, "build": None})
        services[name] = services[name].model_copy(update={"container": other})
        for overrides in variants.values():
            if name in overrides:
                overrides[name] = overrides[name].model_copy(update={"image": None})
    return replace(project, system=project.system.model_copy(update={"services": services, "variants": variants}))


def _checked(model: type[_Model], table: dict[str, Any], file: Path) -> _Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        lines = "\n".join(_mistake(entry, file) for entry in error.errors() if not _noise(entry))
        raise HarnessError(lines, ExitCode.USAGE) from None


def _noise(entry: Any) -> bool:
    """`system` may be a path or a table; when a table is there, "not a string" is no news."""
    return entry["loc"] == ("system", "str") and isinstance(entry["input"], dict)


def _mistake(entry: Any, file: Path) -> str:
    location = [part for part in map(str, entry["loc"]) if part not in ("System", "str", "[key]")]
    key = ".".join(location)
    if entry["type"] == "extra_forbidden":
        close = difflib.get_close_matches(location[-1], _known_keys(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{file}: {key}: unknown key{hint}"
    if entry["type"] == "missing":
        return f"{file}: {key}: missing"
    if entry["type"] == "value_error" and isinstance(entry["input"], dict):
        return f"{file}: {key}: {entry['ctx']['error']}"
    return f"{file}: {key}: {entry['msg'].lower()}, found {entry['input']!r:.80}"


def _known_keys() -> set[str]:
    tables = (Configuration, System, Service, Container, Build, Override, Rounds, Controls, GatePolicy)
    tune = (Tune, TuneRetry, TunePool, TuneCache, RetryNames)
    models = (*tables, *tune, MetricOverride, History)
    return {name for model in models for name in model.model_fields}


def _check_references(system: System, file: Path) -> None:
    names = sorted(system.services)
    for name, service in system.services.items():
        for need in service.needs:
            if need not in system.services:
                raise _unknown_service(file, f"services.{name}.needs", need, names)
            if service.lifetime == "session" and system.services[need].lifetime == "round":
                message = f"{file}: services.{name}.needs: lives a session but needs {need}, which lives a round"
                raise HarnessError(message, ExitCode.USAGE)
    for variant, overrides in system.variants.items():
        for service_name in overrides:
            if service_name not in system.services:
                raise _unknown_service(file, f"variants.{variant}", service_name, names)
    _check_tune(system, file, names)
    start_order(system, file)


def _check_tune(system: System, file: Path, names: list[str]) -> None:
    for command, subject in (("retry", system.tune.retry), ("pool", system.tune.pool), ("cache", system.tune.cache)):
        if subject is not None and subject.service not in system.services:
            raise _unknown_service(file, f"tune.{command}.service", subject.service, names)
    retry = system.tune.retry
    if retry is not None and retry.provider not in system.services:
        raise _unknown_service(file, "tune.retry.provider", retry.provider, names)


def _unknown_service(file: Path, key: str, found: str, allowed: list[str]) -> HarnessError:
    return HarnessError(f"{file}: {key}: no service {found!r}; there are {', '.join(allowed)}", ExitCode.USAGE)


def start_order(system: System, file: Path) -> tuple[str, ...]:
    """The services in an order in which each comes after those it needs; a circle is a HarnessError."""
    order: list[str] = []
    waiting = dict(system.services)
    while waiting:
        free = [name for name, service in waiting.items() if set(service.needs) <= set(order)]
        if not free:
            message = f"{file}: services: {', '.join(sorted(waiting))} need each other in a circle"
            raise HarnessError(message, ExitCode.USAGE)
        for name in free:
            order.append(name)
            del waiting[name]
    return tuple(order)
