"""What the configuration says of a system that is tuned."""

import json
from typing import TypeVar

from harness.configuration.load import Project
from harness.configuration.schema import TuneSubject
from harness.errors import ExitCode, HarnessError
from harness.measure.variants import configured

Subject = TypeVar("Subject", bound=TuneSubject)


def said(project: Project, command: str, subject: Subject | None) -> Subject:
    """``subject``, if the configuration says one. Raises HarnessError (4)."""
    if subject is None:
        raise HarnessError(f"{project.file}: [tune.{command}] of the system is missing: docs/tune.md", ExitCode.USAGE)
    return subject


def number_of(project: Project, origin: str, service: str, name: str, default: float | None = None) -> float:
    """A setting of a variant. Raises HarnessError (4) when it is not a number, or is missing and has no default."""
    settings = configured(project, origin).services[service].settings
    where = f"{project.file}: variants.{origin}.{service}.settings.{name}"
    if name not in settings:
        if default is None:
            raise HarnessError(f"{where}: missing, but [tune] names it", ExitCode.USAGE)
        return default
    try:
        return float(settings[name])
    except ValueError:
        raise HarnessError(f"{where}: found {settings[name]!r:.60}, a number is needed", ExitCode.USAGE) from None


def filled(body: object, **values: object) -> bytes:
    """``body`` as JSON, with each ``{name}`` in its texts replaced."""
    text = json.dumps(body)
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text.encode()
