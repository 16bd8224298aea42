"""PostgreSQL crashes and recovers while meters publish."""

import pytest

from tests.databases import PostgresTemplate
from tests.faults.publisher import APARTMENTS
from tests.installation import Installation, Templates
from tests.postgres import Cluster

pytestmark = [
    pytest.mark.fault,
    pytest.mark.postgres,
]


@pytest.fixture
def cluster():
    """A server that nobody else uses."""
    with Cluster() as running:
        yield running


@pytest.fixture
def installation(tmp_path, broker, cluster):
    with Installation(tmp_path, Templates(PostgresTemplate(cluster), tmp_path), broker.port) as made:
        made.make_house(*APARTMENTS)
        yield made


@pytest.mark.timeout(180)
def test_server_crashes_ten_times_under_load(trial, cluster):
    readings, crashes = 20_000, 10
    listener = trial.listen()
    publisher = trial.stream(range(readings), rate=1000)
    for crash in range(1, crashes + 1):
        publisher.wait_for(readings * crash // (crashes + 1))
        cluster.stop("immediate")
        cluster.start()
        trial.faults += 1
    publisher.finish()
    trial.finish(readings, listener)
    assert listener.said.count("database not available") >= 1
    assert "Traceback" not in listener.said
