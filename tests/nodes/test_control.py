"""Pause, go on and finish, as the search hears them, without a server."""

import threading
import time
from types import SimpleNamespace

import pytest


@pytest.fixture
def control(host):
    return host.part("nodes.host.engine.control")


def a_trace(*finished):
    return SimpleNamespace(trials=[SimpleNamespace(finished=one) for one in finished], stopped="")


def test_finish_waits_for_the_first_picture_drafts_are_none(control):
    wanted, trace = control.Control(), a_trace(False, False)
    with wanted.searching(trace):
        wanted.steer("finish")
        wanted.check()
        trace.trials.append(SimpleNamespace(finished=True))
        wanted.check()
        pytest.fail("a finished picture is there")
    assert trace.stopped == "you" and len(trace.trials) == 3


def test_finish_is_for_good_and_ends_only_the_search_itself(control):
    wanted = control.Control()
    wanted.steer("finish")
    wanted.steer("pause")
    assert wanted.status == "finishing"
    wanted.check()  # winners are made again after the search: nothing ends that


def test_the_clock_stands_still_in_a_pause_that_ends_when_somebody_goes_on(control):
    wanted = control.Control()
    wanted.steer("pause")
    before, began = wanted.clock(), time.monotonic()
    threading.Timer(0.4, wanted.steer, ["continue"]).start()
    wanted.check()
    assert time.monotonic() - began > 0.3 and wanted.status == "running"
    assert wanted.clock() - before < 0.2


def test_a_pause_that_nobody_can_end_any_more_is_told_and_ended_by_whoever_listens(control):
    told = []

    def abandoned():
        told.append("alone")
        wanted.steer("continue")

    wanted = control.Control(watch=lambda: lambda: True, abandoned=abandoned)
    wanted.steer("pause")
    wanted.check()
    assert told == ["alone"] and wanted.status == "running"


def test_what_the_host_interrupts_ends_a_pause_as_well(control):
    import comfy.model_management as memory

    wanted = control.Control()
    wanted.steer("pause")
    memory.interrupt_current_processing()
    with pytest.raises(memory.InterruptProcessingException):
        wanted.check()
