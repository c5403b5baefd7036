"""One ClickHouse and one model provider for all tests of the reference backend, and the two variants of it."""

from collections.abc import Iterator

import pytest

from tests.reference.backend_process import (
    AFTER,
    BEFORE,
    PASSWORD,
    USER,
    Backend,
    ClickHouse,
    backend,
    clickhouse,
    free_port,
)
from tests.services.llm_process import RunningProvider, started


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    with clickhouse(free_port(), tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture(scope="session")
def running_provider() -> Iterator[RunningProvider]:
    with started() as running:
        yield running


@pytest.fixture
def provider(running_provider: RunningProvider) -> RunningProvider:
    """The provider, answering well, with an empty call log."""
    running_provider.script()
    running_provider.http.delete("/calls")
    return running_provider


@pytest.fixture(scope="session")
def services(store: ClickHouse, running_provider: RunningProvider) -> dict[str, str]:
    """The settings by which a backend finds its services."""
    return {
        "CLICKHOUSE_PORT": str(store.port),
        "CLICKHOUSE_USER": USER,
        "CLICKHOUSE_PASSWORD": PASSWORD,
        "LLM_BASE_URL": f"http://127.0.0.1:{running_provider.port}",
    }


@pytest.fixture(scope="session")
def before(services: dict[str, str]) -> Iterator[Backend]:
    with backend(services, BEFORE) as running:
        yield running


@pytest.fixture(scope="session")
def after(services: dict[str, str]) -> Iterator[Backend]:
    with backend(services, AFTER) as running:
        yield running
