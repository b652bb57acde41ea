"""What a search may use, in the real host: minutes, patience, targets, drafts by another setup, noises that come in."""

import itertools
from types import SimpleNamespace

import pytest
from noise_search.tests.nodes.graphs import KSAMPLER, MODEL, SOURCES, Brightness, drop_in, kept, run
from noise_search.tests.nodes.graphs import searched as among_noises
from noise_search.tests.nodes.test_path_nodes import searched

SLOW = 10.0  # seconds of judging a picture, by the clock of these tests


class Compares(Brightness):
    """A judge whose scores say only who is better in the pool."""

    card = SimpleNamespace(**{**vars(Brightness.card), "name": "Ranks", "range": "mean rank", "absolute": False})


@pytest.fixture
def clock(host, monkeypatch):
    """A clock that stands still unless a test moves it, in place of the host's."""
    now = SimpleNamespace(seconds=1000.0)
    for name in ("control", "evaluator"):
        part = host.part(f"nodes.host.engine.{name}")
        monkeypatch.setattr(part, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def slow_judge(clock):
    class Slow(Brightness):
        def measure(self, images, prompt):
            clock.seconds += SLOW * len(images)
            return super().measure(images, prompt)

    return Slow()


def noises(count):
    return {"n": {"class_type": "NoiseCandidates", "inputs": {"seed": 11, "count": count}}}


@pytest.mark.parametrize("kind", ["AutoSearch", "DraftSearch", "SteeredSearch", "PathSearch", "RefineSearch"])
def test_a_limit_in_minutes_leaves_finished_pictures_and_is_kept(host, judge, clock, kind):
    knobs = {"backward": 0.95} if kind == "PathSearch" else {}
    began = clock.seconds
    found = run(
        host, judge(slow_judge(clock)), searched(kind, pictures=100, minutes=2.0, **knobs), kept("2", "trace", "score")
    )
    assert clock.seconds - began <= 120 and sum(trial.finished for trial in found.trace.trials) > 2
    assert found.trace.stopped == "minutes" and "time is up" in found.ui["2"]["text"][0]


@pytest.mark.parametrize("kind", ["AutoSearch", "SteeredSearch", "RefineSearch"])
def test_a_search_with_a_limit_in_minutes_that_runs_again_finds_the_same_and_samples_nothing(
    host, judge, clock, sampled, monkeypatch, tmp_path, kind
):
    import folder_paths

    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    graph = searched(kind, pictures=100, minutes=2.0)

    def found():
        verifier = judge(slow_judge(clock))
        verifier["v"]["inputs"]["mark"] = "slow"
        return run(host, verifier, graph, kept("2", "trace", "recipe"))

    first = found()
    assert sampled
    sampled.clear()
    again = found()
    assert again.recipe == first.recipe and sampled == []
    assert [one.candidate.key for one in again.trace.trials] == [one.candidate.key for one in first.trace.trials]


def test_patience_counts_finished_pictures_and_not_the_batches_that_they_come_in(host, judge):
    class Falling(Brightness):
        """Likes the first picture best."""

        def __init__(self):
            self.falling = itertools.count()

        def measure(self, images, prompt):
            values = super().measure(images, prompt)
            return values * 0 - values.new_tensor([next(self.falling) for _ in images])[:, None]

    for batch in (1, 2, 4):
        found = run(
            host,
            judge(Falling()),
            among_noises(batch=batch, pictures=30, patience=5),
            kept("2", "trace"),
        )
        assert len(found.trace.trials) == 6 and found.trace.stopped == "patience"


def test_the_first_picture_that_reaches_the_target_wins_and_not_a_better_one_of_its_batch(host, judge):
    class Rising(Brightness):
        """Likes each picture more than the one before it."""

        def __init__(self):
            self.rising = itertools.count(1)

        def measure(self, images, prompt):
            values = super().measure(images, prompt)
            return values * 0 + values.new_tensor([next(self.rising) for _ in images])[:, None]

    made = {}
    for batch in (1, 4):
        found = run(host, judge(Rising()), among_noises(batch=batch, pictures=30, target=2.0), kept("2", "trace"))
        made[batch] = len(found.trace.trials)
        best = found.trace.best(4)
        assert found.trace.stopped == "target" and [trial.id for trial in best] == [1, 0]
        behind = made[batch] - 2
        said = f"{behind} made together with the one that reached it do not count" in found.ui["2"]["text"][0]
        assert said == bool(behind)
    assert made[1] == 2 < made[4]


def test_a_target_is_refused_before_anything_runs_with_a_judge_that_only_compares(host, judge):
    graph = {**judge(Compares()), **drop_in(verifier=["v", 0], target=0.9), **kept("2", "trace")}
    result = host.run(graph)
    assert "target must be 0 with Ranks: its scores (mean rank) compare the pictures" in result.error
    assert "got 0.9" in result.error and "1" not in {data["node"] for data in result.named("executing")}
    assert host.run({**graph, **drop_in(verifier=["v", 0], target=0.0)}).ok
    assert host.run({**graph, **judge(Brightness()), **drop_in(verifier=["v", 0], target=0.9)}).ok


@pytest.mark.parametrize("kind", ["AutoSearch", "DraftSearch"])
@pytest.mark.parametrize(("main", "cheap"), [(3.0, 1.0), (1.0, 3.0)])
def test_a_draft_setup_at_another_cfg_uses_the_budget(host, judge, kind, main, cheap):
    draft = {"class_type": "SamplingSetup", "inputs": {**SOURCES, **KSAMPLER, "cfg": cheap, "batch_size": 4}}
    graph = searched(kind, pictures=12, extra={"d": draft}.items(), draft=["d", 0])
    graph["s"]["inputs"]["cfg"] = main
    trace = run(host, judge(Brightness()), graph, kept("2", "trace")).trace
    assert 0.95 * 12 <= trace.pictures <= 12 + 1e-6 and sum(trial.finished for trial in trace.trials) > 1
    assert trace.ledger.nfe == round(trace.pictures * 8 * (2 if main == 3.0 else 1))
    assert any(trial.how == "draft" for trial in trace.trials)


@pytest.mark.parametrize("kind", ["AutoSearch", "DraftSearch", "SteeredSearch", "RefineSearch"])
def test_several_noises_are_paid_for_and_the_best_of_them_is_the_start(host, judge, kind):
    found = run(host, judge(Brightness()), noises(6), searched(kind, pictures=12, noise=["n", 0]), kept("2", "trace"))
    trace = found.trace
    assert [trial.how for trial in trace.trials[:6]] == ["start"] * 6 and 0.95 * 12 <= trace.pictures <= 12 + 1e-6
    assert sum(trial.finished for trial in trace.trials[6:]) > 1


def test_what_follows_a_search_draws_none_of_its_noises_again_also_when_it_found_nothing_better(host, judge):
    class LikesTheFirst(Brightness):
        """Whatever a search tries, it passes on what it got."""

        def measure(self, images, prompt):
            return super().measure(images, prompt).round() * 0

    def link(name, behind):
        return {
            **among_noises(pictures=8, noise=[behind, 4])["2"],
            "_meta": {"title": name},
        }

    graph = {**among_noises(pictures=8), "3": link("second", "2"), "4": link("third", "3"), "5": link("fourth", "4")}
    keeps = {
        f"k{node}": {"class_type": "ToyKeep", "inputs": {"value": [node, 6], "name": f"t{node}"}} for node in "2345"
    }
    found = run(host, judge(LikesTheFirst()), graph, keeps)
    drawn = [[trial.candidate.key for trial in getattr(found, f"t{node}").trials] for node in "2345"]
    assert len({key for keys in drawn for key in keys}) == 8 + 7 * 3, "only the start is in all of them"
    own = host.part("search.noise").SeedStream(5)
    assert drawn[0][1:] == [host.part("search.noise").fresh(next(own)).key for _ in range(7)], "from the plain stream"


def guided(kind, **inputs):
    """A setup with a guider of the host's own nodes, and a search behind it."""
    conditionings = {name: ["1", 1] for name in ("cond1", "cond2", "positive", "conditioning")}
    conditionings["negative"] = ["1", 2]
    wanted = {
        "BasicGuider": ("conditioning",),
        "CFGGuider": ("positive", "negative"),
        "DualCFGGuider": ("cond1", "cond2", "negative"),
    }[kind]
    guider = {"model": ["1", 0], **{name: conditionings[name] for name in wanted}, **inputs}
    parts = {"sampler": ["k", 0], "sigmas": ["b", 0], "latent_image": ["1", 3], "vae": ["1", 4], "batch_size": 2}
    scheduler = {"model": ["1", 0], "scheduler": "simple", "steps": 4, "denoise": 1.0}
    return {
        "1": MODEL,
        "g": {"class_type": kind, "inputs": guider},
        "k": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "b": {"class_type": "BasicScheduler", "inputs": scheduler},
        "s": {"class_type": "SamplingSetupCustom", "inputs": {"guider": ["g", 0], **parts}},
        "kg": {"class_type": "ToyKeep", "inputs": {"value": ["g", 0], "name": "guider"}},
    }


DUAL = {"cfg_conds": 4.0, "cfg_cond2_negative": 3.0, "style": "regular"}


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        ("BasicGuider", {}, 1),
        ("CFGGuider", {"cfg": 1.0}, 1),
        ("CFGGuider", {"cfg": 3.0}, 2),
        ("DualCFGGuider", DUAL, 3),
        ("DualCFGGuider", {**DUAL, "style": "nested"}, 3),
        ("DualCFGGuider", {**DUAL, "cfg_cond2_negative": 1.0}, 2),
        ("DualCFGGuider", {**DUAL, "cfg_conds": 1.0}, 3),
        ("DualCFGGuider", {**DUAL, "cfg_cond2_negative": 1.0, "cfg_conds": 1.0}, 1),
    ],
)
def test_a_guider_is_priced_by_what_it_calls(host, judge, kind, inputs, expected):
    search = {"2": among_noises(pictures=2)["2"]}
    found = run(host, judge(Brightness()), guided(kind, **inputs), search, kept("2", "trace"))
    assert found.trace.ledger.nfe == 2 * 4 * expected
    setup = host.part("nodes.host.setup.guiders")
    assert setup.calls_of_one(found.guider) == expected


@pytest.mark.parametrize(("cfg", "neg_scale", "expected"), [(4.0, 1.0, 3), (4.0, 0.0, 2), (1.0, 0.0, 1), (1.0, 1.0, 3)])
def test_a_guider_of_perp_neg_is_priced_by_what_it_calls(host, judge, cfg, neg_scale, expected):
    from comfy_extras.nodes_perpneg import Guider_PerpNeg

    search, basic = {"2": among_noises(pictures=2)["2"]}, guided("BasicGuider")
    guider = Guider_PerpNeg(run(host, judge(Brightness()), basic, search, kept("2", "trace")).guider.model_patcher)
    guider.set_conds(*(host.toys.conditioning("sd3", seed) for seed in (1, 2, 3)))
    guider.set_cfg(cfg, neg_scale)
    host.toys.VALUES["guider"] = guider
    found = run(
        host,
        judge(Brightness()),
        {**basic, "g": {"class_type": "ToyValue", "inputs": {"name": "guider", "mark": f"{cfg} {neg_scale}"}}},
        search,
        kept("2", "trace"),
    )
    assert found.trace.ledger.nfe == 2 * 4 * expected
    assert host.part("nodes.host.setup.guiders").calls_of_one(guider) == expected
