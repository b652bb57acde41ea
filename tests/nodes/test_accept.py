"""A second judge that takes one of the best pictures of different noises."""

from types import SimpleNamespace

import pytest
from noise_search.search.lineages import founder_of
from noise_search.tests.nodes.graphs import Brightness, drop_in, kept, refused, run
from noise_search.tests.nodes.graphs import searched as among_noises
from noise_search.tests.nodes.test_path_nodes import searched

OPINION = "accept: darkness saw the best pictures of"


class Darkness(Brightness):
    """Thinks the opposite of the judge of the search."""

    columns = ("darkness",)
    card = SimpleNamespace(**{**vars(Brightness.card), "name": "darkness"})

    def __init__(self):
        self.seen = 0

    def measure(self, images, prompt):
        self.seen += len(images)
        return -super().measure(images, prompt)


@pytest.fixture
def accept(host, judge):
    """Nodes for both judges: "v" of the search, and "a"."""

    def put(second, first=None):
        host.toys.VALUES["second"] = second
        return {**judge(first or Brightness()), "a": {"class_type": "ToyValue", "inputs": {"name": "second"}}}

    return put


def judged(**inputs):
    return drop_in(verifier=["v", 0], accept=["a", 0], search="random", **inputs)


def test_it_takes_the_one_of_the_best_that_it_likes_most(host, accept):
    second = Darkness()
    found = run(host, accept(second), judged(pictures=12), kept("2"))
    trace = found.trace
    best = [trial.id for trial in trace.best(8)]
    assert trace.accepted.ids == tuple(best) and second.seen == 8
    assert trace.accepted.taken == best[-1], "the darkest of the brightest eight"
    assert found.score == trace.scores[best[-1]] and found.seed == trace.trials[best[-1]].candidate.plain_seed
    assert float(found.image.mean()) == pytest.approx(found.score, abs=1e-5)


def test_the_choice_is_told_in_the_node_and_in_the_history(host, accept):
    found = run(host, accept(Darkness()), judged(pictures=3), kept("2", "trace"))
    taken, best = found.trace.winner, found.trace.best(1)[0]
    (text,), (facts,) = found.ui["2"]["text"], found.ui["2"]["noise_search"]
    assert f"{OPINION} 3 different noises and took {taken.name}" in text and f"not {best.name}" in text
    assert text.splitlines()[0].find(f"accepted {found.trace.scores[taken.id]:.4g}") > 0
    assert list(facts["accepted"]["ids"]) == list(found.trace.accepted.ids)
    assert facts["score"] == found.trace.scores[taken.id]


def test_the_report_shows_the_kept_pictures_under_their_own_scores(host, accept):
    """It took the pictures for the best ones, whatever a final or the wish for different ones had kept."""
    plots, report = host.part("nodes.plots"), host.part("nodes.report")
    found = run(host, accept(Darkness()), judged(pictures=6, keep=3, keep_different=True), kept("2", "trace", "image"))
    first = found.trace.first(3)
    assert [float(image.mean()) for image in found.image] == pytest.approx(
        [found.trace.scores[trial.id] for trial in first], abs=1e-5
    )
    assert plots.best_points(found.trace, 1)[0][1][1] == found.trace.scores[found.trace.accepted.taken]
    assert plots._title(found.trace).startswith("accepted by darkness")
    captions = []
    before = report.captioned
    report.captioned = lambda picture, text: captions.append(text) or before(picture, text)
    try:
        report.report_picture(found.trace, found.image, 3)
    finally:
        report.captioned = before
    assert captions == [f"#{one.id + 1}: {found.trace.scores[one.id]:.4g}, {one.how}" for one in first]


def test_a_second_judge_that_agrees_says_so(host, accept):
    found = run(host, accept(Brightness()), judged(pictures=3), kept("2", "trace"))
    assert found.trace.winner == found.trace.best(1)[0]
    assert "and took the one with the best score" in found.ui["2"]["text"][0]


def test_without_one_nothing_changes(host, judge):
    found = run(host, judge(Brightness()), drop_in(verifier=["v", 0], pictures=4, search="random"), kept("2", "trace"))
    assert found.trace.accepted is None and "accept" not in found.ui["2"]["text"][0]


@pytest.mark.parametrize("kind", ["AutoSearch", "RefineSearch", "SteeredSearch", "ZeroOrderSearch"])
def test_it_sees_one_picture_of_each_noise_however_often_that_was_improved(host, accept, kind):
    nodes = among_noises if kind == "ZeroOrderSearch" else searched
    found = run(host, accept(Darkness()), nodes(kind, pictures=16, accept=["a", 0]), kept("2", "trace"))
    seen = [found.trace.trials[number].candidate for number in found.trace.accepted.ids]
    assert 1 < len(seen) <= 8
    assert len({founder_of(candidate).key for candidate in seen}) == len(seen)
    assert found.trace.winner.finished


def test_what_it_took_comes_first_of_several_that_are_kept(host, accept):
    for different in ({}, {"keep_different": True}):
        found = run(host, accept(Darkness()), judged(pictures=6, keep=3), kept("2", "trace", "image"))
        assert len(found.image) == 3
        means = [float(image.mean()) for image in found.image]
        assert means[0] == pytest.approx(found.trace.scores[found.trace.winner.id], abs=1e-5), different
        assert means[1] == pytest.approx(found.trace.scores[found.trace.best(1)[0].id], abs=1e-5)


def test_what_it_said_is_not_asked_again(host, accept, monkeypatch):
    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    second = Darkness()
    first = run(host, accept(second), judged(pictures=5, seed=907), kept("2", "trace"))
    seen = second.seen
    again = run(host, accept(second), judged(pictures=5, seed=907, keep=2), kept("2", "trace"))
    assert seen == 5 and second.seen == seen
    assert again.trace.accepted == first.trace.accepted


def test_its_looks_are_paid_for_in_the_ledger(host, accept):
    alone = run(host, accept(Darkness()), drop_in(verifier=["v", 0], pictures=5, search="random"), kept("2", "trace"))
    both = run(host, accept(Darkness()), judged(pictures=5, seed=907), kept("2", "trace"))
    assert both.trace.ledger.scores == alone.trace.ledger.scores + 5


def test_a_limit_in_minutes_pays_for_its_looks_too(host, accept, monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    for name in ("control", "evaluator", "winners"):
        monkeypatch.setattr(
            host.part(f"nodes.host.engine.{name}"), "time", SimpleNamespace(monotonic=lambda: now.seconds)
        )

    rollout = host.part("nodes.host.engine.rollout").Rollout
    decode = rollout.decode

    def slowly(self, latents, *more):
        now.seconds += 2.0 * len(latents)
        return decode(self, latents, *more)

    class Slow(Darkness):
        def measure(self, images, prompt):
            now.seconds += 5.0 * len(images)
            return super().measure(images, prompt)

    class Minute(Brightness):
        def measure(self, images, prompt):
            now.seconds += 10.0 * len(images)
            return super().measure(images, prompt)

    monkeypatch.setattr(rollout, "decode", slowly)
    found = run(host, accept(Slow(), Minute()), judged(pictures=100, minutes=3.0), kept("2", "trace"))
    assert found.trace.stopped == "minutes" and len(found.trace.accepted.ids) == 8
    assert 145 <= now.seconds - 1000 <= 180


def test_what_it_sees_is_not_decoded_again_while_pictures_are_small(host, accept, monkeypatch):
    """Decoding each of the eight once more took a second of nine on a card that makes a picture in one."""
    rollout = host.part("nodes.host.engine.rollout").Rollout
    decoded, decode = [], rollout.decode

    def counted(self, latents, *more):
        found = decode(self, latents, *more)
        decoded.append(len(found))
        return found

    monkeypatch.setattr(rollout, "decode", counted)
    found = run(host, accept(Darkness()), judged(pictures=12, seed=908), kept("2", "trace"))
    assert len(found.trace.accepted.ids) == 8 and sum(decoded) == 12
    monkeypatch.setattr(host.part("nodes.host.engine.winners"), "HELD", 0)
    decoded.clear()
    again = run(host, accept(Darkness()), judged(pictures=12, seed=909), kept("2", "trace"))
    assert sum(decoded) > 12, "large ones are, so that eight of them need not be held"
    assert len(again.trace.accepted.ids) == 8


def test_the_next_search_of_a_setup_begins_with_the_pace_of_the_last(host, accept):
    """The first picture was sampled alone to learn it, each time."""
    timing = host.part("nodes.host.engine.timing")
    timing._rates.clear()
    first, second = (
        run(
            host,
            accept(Darkness()),
            drop_in(verifier=["v", 0], pictures=6, minutes=900.0, seed=seed),
            kept("2", "trace"),
        )
        for seed in (910, 911)
    )
    sizes = [[sum(trial.round == number for trial in one.trace.trials) for number in (0, 1)] for one in (first, second)]
    assert sizes[0][0] == 1 and sizes[1][0] > 1


def test_a_judge_that_is_new_is_timed_before_many_pictures_are_made_for_it(host, accept):
    """Its looks may take longer than all that is left."""
    timing = host.part("nodes.host.engine.timing")
    searches = []
    for seed in (914, 915):
        timing._looks.clear()
        graph = drop_in(verifier=["v", 0], accept=["a", 0], pictures=6, minutes=900.0, seed=seed)
        searches.append(run(host, accept(Darkness()), graph, kept("2", "trace")).trace)
    assert [sum(trial.round == 0 for trial in trace.trials) for trace in searches] == [1, 1]


def test_a_look_is_timed_once_for_all_searches(host, accept):
    """It was before the first picture of each, with a look that only loads the judge."""
    timing = host.part("nodes.host.engine.timing")
    timing._looks.clear()
    seen = []
    for seed in (912, 913):
        second = Darkness()
        run(host, accept(second), judged(pictures=3, minutes=900.0, seed=seed), kept("2", "trace"))
        seen.append(second.seen)
    assert seen == [2 + 3, 3] and len(timing._looks) == 1


def test_judges_of_one_family_are_told_to_err_alike(host, accept):
    def family(name):
        return SimpleNamespace(**{**vars(Brightness.card), "family": name})

    second, first = Darkness(), Brightness()
    second.card, first.card = family("CLIP"), family("CLIP")
    found = run(host, accept(second, first), judged(pictures=2), kept("2", "trace"))
    assert "accept and verifier are both of one family (CLIP)" in found.ui["2"]["text"][0]
    second.card = family("BLIP")
    found = run(host, accept(second, first), judged(pictures=2), kept("2", "trace"))
    assert "one family" not in found.ui["2"]["text"][0]


def test_it_needs_a_verifier_that_puts_pictures_first(host, accept):
    error = refused(host, accept(Darkness()), drop_in(accept=["a", 0]), kept("2", "trace"))
    assert "verifier must be connected where accept is" in error
