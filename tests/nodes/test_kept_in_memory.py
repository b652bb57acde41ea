"""What a search holds while it runs, and what of it is alive when the next node runs."""

import gc
import threading
import time
import weakref
from types import SimpleNamespace

import pytest
import torch
from noise_search.search import noise
from noise_search.search.noise import draw
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept, run, searched
from noise_search.tests.nodes.test_routes import prompt
from noise_search.verifiers.clips import Frames
from noise_search.verifiers.technical import TechnicalQuality


def test_a_search_is_freed_when_its_node_returns_without_a_collection(host, monkeypatch):
    """A cycle of references kept seven clips of 0.9 GB while they were saved and enlarged."""
    job = host.part("nodes.host.engine.job").SearchJob
    made = []
    monkeypatch.setattr(job, "report", seeing(job.report, made))
    gc.collect()
    gc.disable()
    try:
        result = host.run(prompt(seed=81, pictures=6), workflow={"id": "freed"})
        assert result.ok, result.error
        assert made and [one() for one in made] == [None] * len(made)
    finally:
        gc.enable()


def seeing(report, made):
    def seen(self, *arguments):
        made.extend(map(weakref.ref, (self, self.evaluator, self.winners, self.winners.kept)))
        return report(self, *arguments)

    return seen


def test_pictures_of_a_round_are_let_go_beside_the_sampler_and_before_the_next_are_decoded(host, judge, monkeypatch):
    """Giving back the memory of a clip of 720p took 35 to 60 ms of the sampling thread."""
    evaluator = host.part("nodes.host.engine.evaluator").LocalEvaluator
    rollout, worker = host.part("nodes.host.engine.rollout").Rollout, host.call(threading.current_thread)
    evaluate, decode = evaluator.evaluate, rollout.decode
    made, gone, there = [], [], []

    def let_go():
        time.sleep(0.1)  # as long as that of a clip takes, while the toy model samples in a moment
        gone.append(threading.current_thread())

    def evaluated(self, *asked):
        found = evaluate(self, *asked)
        for one in found.found:
            made.append(weakref.finalize(one.image, let_go))
        return found

    def decoded(self, *asked):
        there.append(len(made) - len(gone))
        return decode(self, *asked)

    monkeypatch.setattr(evaluator, "evaluate", evaluated)
    monkeypatch.setattr(rollout, "decode", decoded)
    run(host, judge(Brightness()), searched(seed=83, pictures=8), kept("2", "trace"))
    assert len(made) == len(gone) == 8 and not any(there), "all of a round is gone when the next is decoded"
    assert worker not in gone


def test_a_clip_that_is_no_longer_the_best_is_let_go_beside_the_sampler(host, judge, monkeypatch):
    """It is no row of a batch, and was given back where it was replaced."""
    winners, worker = host.part("nodes.host.engine.winners"), host.call(threading.current_thread)
    gone, add = [], winners.Kept.add

    def added(self, candidate, ended, image):
        weakref.finalize(image, lambda: gone.append(threading.current_thread()))
        add(self, candidate, ended, image)

    monkeypatch.setattr(winners.Kept, "add", added)
    graph = searched(seed=83, model={"class_type": "ToyModel", "inputs": {"family": "wan", "batch": 1}}, batch=1)
    found = run(host, judge(Brightness()), graph, kept("2", "trace")).trace
    best = [max(found.scores[: place + 1]) for place in range(6)]
    assert len(set(best)) > 1, "one is replaced"
    assert len(gone) >= 5 and worker not in gone[:5], "the sixth leaves the search"


def test_one_noise_is_not_copied():
    """That of a clip of 720p takes 19 MB."""
    made = []

    def drawn(seed, shapes):
        made.append(draw(seed, shapes))
        return made[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(noise, "draw", drawn)
        (alone,) = noise.materialize([noise.fresh(5)], [(4, 8, 8)])
        (both,) = noise.materialize([noise.fresh(5), noise.fresh(6)], [(4, 8, 8)])
    assert alone is made[0][0] and torch.equal(both[:1], alone)


def test_the_first_picture_is_kept_for_a_second_judge_only(host, monkeypatch):
    job = host.part("nodes.host.engine.job").SearchJob
    kept = []

    def report(self, trace, winners, images):
        kept.append(self.first_image is not None)
        return before(self, trace, winners, images)

    before = job.report
    monkeypatch.setattr(job, "report", report)
    judge = {"v": {"class_type": "LoadVerifier", "inputs": {"verifier": "sharpness", "device": "auto"}}}
    for more in ({}, {"held_out": ["v", 0]}):
        result = host.run({**judge, **prompt(seed=82, pictures=3, **more)})
        assert result.ok, result.error
    assert kept == [False, True]


CLIP = (16, 21, 90, 160)  # of 720p
GROUPS = [((16, 8, 8), 1, 4), ((16, 128, 128), 1, 4), (CLIP, 1, 1), (CLIP, 2, 2), ((16, 21, 16, 16), 1, 4)]


@pytest.mark.parametrize(("shape", "batch", "group"), GROUPS)
def test_a_few_are_judged_together_only_as_long_as_their_pictures_are_small(host, monkeypatch, shape, batch, group):
    """Four clips of 720p take 3.6 GB, whatever is sampled together."""
    from types import SimpleNamespace

    evaluator = host.part("nodes.host.engine.evaluator")
    sampling = SimpleNamespace(shapes=(shape,), vae=None, batch=0, second=None)
    one = object.__new__(evaluator.LocalEvaluator)
    one.request, one.rollout = SimpleNamespace(sampling=sampling), SimpleNamespace(batch=batch)
    assert one.group == group


def test_one_picture_or_clip_leaves_the_search_uncopied(host):
    as_batch = host.part("nodes.host.files.pictures").as_batch
    picture, clip = torch.rand(8, 8, 3), torch.rand(5, 8, 8, 3)
    assert as_batch([picture]).data_ptr() == picture.data_ptr() and as_batch([picture]).shape == (1, 8, 8, 3)
    assert as_batch([clip]).data_ptr() == clip.data_ptr()


def test_several_pictures_leave_the_search_without_being_there_twice(host):
    """Sixty-four of 12 MB took 1.6 GB while they were put together."""
    as_batch = host.part("nodes.host.files.pictures").as_batch
    pictures = [torch.rand(8, 8, 3) for _ in range(5)]
    alive, expected = [weakref.ref(picture) for picture in pictures], torch.stack(pictures)
    assert torch.equal(as_batch(pictures), expected) and pictures == []
    assert [picture() for picture in alive] == [None] * 5
    clips = [torch.rand(3, 8, 8, 3), torch.rand(3, 8, 8, 3)]
    assert torch.equal(as_batch(list(clips)), torch.cat(clips))


@pytest.mark.parametrize("store", ["4", "off"])
def test_different_pictures_are_chosen_by_their_looks_and_only_the_chosen_are_decoded(host, judge, monkeypatch, store):
    """Four whole clips were held for each one that left the search."""
    monkeypatch.setenv("NOISE_SEARCH_STORE", store)
    verifier, winners, held = judge(Brightness()), host.part("nodes.host.engine.winners"), []
    before = winners.Winners.only_best

    def only_best(self, over):
        before(self, over)
        held.append((len(self.kept.images), len(self.kept.looks), len(self.kept.ends)))

    asked = {"verifier": ["v", 0], "search": "random", "pictures": 16, "keep": 3, "keep_different": True}
    with monkeypatch.context() as patched:
        patched.setattr(winners.Winners, "only_best", only_best)
        found = run(host, verifier, drop_in(**asked), kept("2", "image", "trace"))
    assert held[-1] == (3, 9, 12)
    only = winners.Kept.only
    monkeypatch.setattr(winners.Kept, "only", lambda self, trials, whole, aside: only(self, trials, trials, aside))
    whole = run(host, verifier, drop_in(**asked, minutes=999.0), kept("2", "image", "trace"))
    assert torch.allclose(found.image, whole.image, atol=1e-5) and found.image.shape[0] == 3


def test_frames_that_are_all_judged_are_not_copied():
    clip = torch.rand(4, 3, 8, 8)
    assert Frames().of(clip).data_ptr() == clip.data_ptr() and Frames().of(clip[:1]).data_ptr() == clip.data_ptr()
    assert torch.equal(Frames("mean", 2).of(clip), clip[[0, 3]])


def test_technical_quality_looks_at_one_picture_at_a_time_and_says_the_same(monkeypatch):
    judge, seen = TechnicalQuality(), []
    pictures = torch.rand(3, 3, 40, 56, generator=torch.Generator().manual_seed(2))
    single = torch.cat([judge.measure(picture[None], "") for picture in pictures])
    monkeypatch.setattr(judge, "_of_one", lambda image, one=judge._of_one: seen.append(image.shape) or one(image))
    assert torch.equal(judge.measure(pictures, ""), single) and seen == [(40, 56, 3)] * 3


def test_what_loses_is_gone_before_what_wins_is_copied(host, monkeypatch):
    winners, ended = host.part("nodes.host.engine.winners"), host.part("nodes.host.setup.particles").Ended
    kept, batch, loser = winners.Kept(), torch.rand(2, 8, 8, 3), torch.rand(8, 8, 3)
    gone, copied = weakref.ref(loser), []
    trials = [SimpleNamespace(candidate=SimpleNamespace(key=name)) for name in ("won", "lost")]
    for trial, image in zip(trials, (batch[0], loser)):
        kept.add(trial.candidate, ended(torch.zeros(1, 4, 1, 1), None), image)
    del loser, image
    own = winners.owned
    monkeypatch.setattr(winners, "owned", lambda found: (copied.append(gone() is None), own(found))[1])
    with host.part("nodes.host.background").Background() as aside:
        aside.do(time.sleep, 0.05)  # busy with what went before
        kept.only(trials[:1], whole=trials[:1], aside=aside)
    assert copied[-1] and list(kept.images) == ["won"] and torch.equal(kept.images["won"], batch[0])
    assert kept.images["won"].untyped_storage().nbytes() == batch[0].nbytes
