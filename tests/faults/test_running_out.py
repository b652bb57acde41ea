"""Out of memory while sampling, decoding or judging: the chunk is halved, once per run, and said once."""

import logging

import pytest
import torch

from .faults import room_for
from .lab import Trouble

pytestmark = pytest.mark.usefixtures("store_off")  # the same search samples again, to be disturbed elsewhere


@pytest.mark.parametrize("point", ["step", "decode", "measure"])
def test_what_did_not_fit_is_tried_once_per_run_and_logged_once(lab, point, caplog):
    """Three rounds of eight, of which only four fit: the first round finds out, the others know."""
    calls = []

    def do(value, count):
        calls.append(count)
        return room_for(4)(value, count)

    for _ in range(2):
        calls.clear()
        caplog.clear()
        with caplog.at_level(logging.WARNING, "noise_search"), lab.troubled(Trouble(point, do)):
            assert not lab.run(lab.graph(batch=8, pictures=24)).error
        assert calls.count(8) == 1, "tried again in the next run, as other models may be gone by then"
        assert max(calls[1:]) == 4
        assert [record.message for record in caplog.records].count(logged(point)) == 1 and len(caplog.records) == 1


def logged(point):
    part = {"decode": "Decoding: out", "measure": "toy judge: out", "step": "Out"}[point]
    return f"{part} of memory with 8 pictures at once; going on with 4."


def test_the_hosts_own_answer_to_a_vae_that_does_not_fit_comes_first(lab, monkeypatch):
    """It decodes in tiles; only what fails even so is taken apart further."""
    vae, tiled = lab.values["vae"].real, []
    decode = vae.first_stage_model.decode

    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    def in_tiles(samples, *arguments, **options):
        tiled.append(len(samples))
        return vae.process_output(decode(samples.to(vae.vae_dtype)).float())

    alone = lab.run(lab.graph())
    monkeypatch.setattr(vae.first_stage_model, "decode", full)
    monkeypatch.setattr(vae, "decode_tiled_", in_tiles)
    assert lab.run(lab.graph()).same_as(alone)
    assert tiled == [2, 2, 2]


def test_nothing_of_a_batch_that_did_not_fit_stays_in_memory(lab):
    """When the smaller batch is tried, the error and the tensors that it held are gone."""
    alive = []

    def do(value, count):
        alive.append(sum(type(thing).__name__ == "Particles" and len(thing) == 8 for thing in gc_objects()))
        return room_for(4)(value, count)

    with lab.troubled(Trouble("step", do, times=2)):
        assert not lab.run(lab.graph(batch=8, pictures=8)).error
    assert alive == [1, 0]


def gc_objects():
    import gc

    gc.collect()
    return gc.get_objects()
