"""Candidates that are made elsewhere: the search, its panel and its outputs know an evaluator by its protocol alone."""

from functools import partial

import pytest
from noise_search.tests.card import rounding
from noise_search.tests.nodes.graphs import BUDGET, MODEL, ZERO_ORDER, Brightness, drop_in, kept, run, searched
from noise_search.tests.nodes.test_rollout import far

ROUNDING = rounding(1e-4)  # of a score: what is sampled alone differs by as much from what shared a batch


class Distant:
    """Has every candidate made alone, the last one first, and puts the answers in order.

    Args:
        evaluator: The module of the contract.
        arguments: As a search job hands them over.
    """

    def __init__(self, evaluator, *arguments):
        self.evaluator, self.worker = evaluator, evaluator.LocalEvaluator(*arguments)
        self.group, self.cost, self.made, self.keep = 3, self.worker.cost, self.worker.made, self.worker.keep
        self.picture, self.makes_ahead = self.worker.picture, False

    def evaluate(self, proposed, ahead=()):
        answers = [self.worker.evaluate([one]) for one in reversed(proposed)]
        found = tuple(answer.found[0] for answer in reversed(answers))
        took = zip(*((answer.sampling, answer.decoding, answer.judging) for answer in answers))
        return self.evaluator.Evaluation(found, *map(sum, took))

    def notes(self):
        return ["Made elsewhere."]


@pytest.fixture
def elsewhere(host, monkeypatch):
    """From here on, searches have their candidates made by another evaluator."""

    def switch():
        runner, evaluator = host.part("nodes.runner"), host.part("nodes.host.engine.evaluator")
        monkeypatch.setattr(runner, "SearchJob", partial(runner.SearchJob, evaluator=partial(Distant, evaluator)))

    return switch


GRAPHS = {
    "RandomSearch": lambda: searched("RandomSearch", MODEL),
    "ZeroOrderSearch": lambda: searched("ZeroOrderSearch", MODEL),
    "auto": lambda: drop_in(verifier=["v", 0], pictures=8),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_search_whose_candidates_are_made_elsewhere_finds_the_same(host, judge, store_off, elsewhere, name):
    assert BUDGET["pictures"] > 4 and ZERO_ORDER["neighbors"] > 3, "more than a group"
    verifier = judge(Brightness())
    here = run(host, verifier, GRAPHS[name](), kept("2"))
    elsewhere()
    there = run(host, verifier, GRAPHS[name](), kept("2"))
    assert there.ui["2"]["text"][0].count("Made elsewhere.") == 1
    assert [trial.candidate for trial in there.trace.trials] == [trial.candidate for trial in here.trace.trials]
    assert there.trace.scores == pytest.approx(here.trace.scores, abs=ROUNDING)
    assert there.recipe == here.recipe
    assert far(there.latent["samples"], here.latent["samples"]) < ROUNDING
    assert there.trace.pictures == here.trace.pictures and there.trace.ledger.nfe == here.trace.ledger.nfe


SEED = 1  # whose darkest picture is made first


class Fickle(Brightness):
    """Likes bright pictures among a few, and dark ones among many: what was dropped becomes the winner."""

    def combine(self, pool):
        return pool[:, 0] if len(pool) < BUDGET["pictures"] else -pool[:, 0]


def test_a_winner_that_was_not_kept_is_made_again_elsewhere(host, judge, store_off, elsewhere):
    elsewhere()
    found = run(host, judge(Fickle()), searched("RandomSearch", MODEL, seed=SEED), kept("2", "image", "trace"))
    means = [trial.values[0] for trial in found.trace.trials]
    assert found.image.mean().item() == pytest.approx(min(means), abs=1e-5)
    assert means.index(min(means)) < 3, "it was made in the first round, in which the brightest was kept"
