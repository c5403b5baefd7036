"""What the configuration says of a system that is tuned."""

import http.client
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from harness.configuration.load import Project
from harness.configuration.schema import TuneSubject
from harness.errors import ExitCode, HarnessError
from harness.measure.http import Response
from harness.measure.variants import configured

Subject = TypeVar("Subject", bound=TuneSubject)


def said(project: Project, command: str, subject: Subject | None) -> Subject:
    """``subject``, if the configuration says one. Raises HarnessError (4)."""
    if subject is None:
        raise HarnessError(f"{project.file}: [tune.{command}] of the system is missing: docs/tune.md", ExitCode.USAGE)
    return subject


def number_of(project: Project, origin: str, service: str, name: str, default: float | None = None) -> float:
    """A setting of a variant. Raises HarnessError (4) when it is no number from 0 on, or is missing with no default."""
    settings = configured(project, origin).services[service].settings
    where = f"{project.file}: variants.{origin}.{service}.settings.{name}"
    if name not in settings:
        if default is None:
            raise HarnessError(f"{where}: missing, but [tune] names it", ExitCode.USAGE)
        return float(default)
    try:
        number = float(settings[name])
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise HarnessError(f"{where}: found {settings[name]!r:.60}, a number from 0 on is needed", ExitCode.USAGE)
    return number


def count_of(project: Project, origin: str, service: str, name: str, default: float | None = None, *, most: int) -> int:
    """A setting of a variant that counts. Raises HarnessError (4) unless it is a whole number from 1 to ``most``."""
    number = number_of(project, origin, service, name, default)
    if not (number.is_integer() and 1 <= number <= most):
        where = f"{project.file}: variants.{origin}.{service}.settings.{name}"
        raise HarnessError(f"{where}: found {number:g}, a whole number from 1 to {most} is needed", ExitCode.USAGE)
    return int(number)


def written(value: float) -> str:
    """``value`` as a setting: whole numbers without a point, as many a service reads no others for them."""
    return str(int(value)) if value.is_integer() else repr(value)


def filled(body: object, **values: object) -> bytes:
    """``body`` as JSON, with each ``{name}`` in its texts replaced."""
    text = json.dumps(body)
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text.encode()


def fields_of(answer: Response, path: str) -> Mapping[str, Any]:
    """The object that a good answer is. Raises HarnessError."""
    fields = answer.json() if answer.status == http.client.OK else None
    if not isinstance(fields, dict):
        raise HarnessError(f"{path} answers {answer.status}: {answer.text[:200]}; 200 and a JSON object are needed")
    return fields
