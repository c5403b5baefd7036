"""Whatever goes wrong with a container or the engine: named in one line, an exit code, nothing lost or left."""

import pytest

from tests.containers.faults import FAULTS, Fault, provoke


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.usefixtures("docker_engine")
def test_a_fault_is_named_and_leaves_nothing(fault: Fault, images: dict[str, str]) -> None:
    outcome = provoke(fault, images["base"])
    assert outcome.seconds == outcome.seconds, outcome.message  # NaN: the message did not come
    assert outcome.code == fault.code, outcome.message
    assert outcome.left == ()
    assert bool(outcome.swept) == (fault.engine is not None), "without an engine it stays until the next start"
    if fault.midway:
        assert outcome.values >= 2, "what was measured before the fault is kept"
