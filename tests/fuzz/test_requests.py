"""Whatever is sent to the pack's routes is answered, and touches nothing that is not the pack's."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from noise_search.tests.faults.lab import Lab

from .requests import Door, check_request, requests

few = settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def door(host):
    lab = Lab(host)
    assert not lab.run(lab.graph(), "fuzz").error
    door = Door(host)
    door.known = {
        "search": [lab.panel().id],
        "candidate": ["0", "5"],
        "workflow": ["fuzz"],
        "page": ["tests"],
        "size": ["small", "large"],
        "place": ["0"],
    }
    yield door
    door.close()


def test_any_request_is_answered_and_no_file_elsewhere_is_touched(door):
    before, statuses = door.files(), Counter()

    @few
    @given(requests(door.routes, door.known))
    def check(request):
        statuses[check_request(door, request) // 100] += 1

    check()
    assert door.files() == before
    assert statuses[2] and statuses[4] > statuses[2]


def test_every_route_of_the_pack_is_asked(door):
    assert {path.split("/")[2] for _, path in door.routes} >= {"searches", "picks"}
