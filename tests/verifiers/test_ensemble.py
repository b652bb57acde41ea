from dataclasses import replace

import pytest
import torch
from noise_search.verifiers.base import Card
from noise_search.verifiers.ensemble import Ensemble, members
from noise_search.verifiers.focus import Adjusted


class Toy:
    """Measures the mean of one channel."""

    modules = ()

    def __init__(self, channel, spread=0.1, limit=None):
        self.channel, self.columns = channel, ("mean",)
        self.card = Card(f"channel {channel}", "0 to 1", spread, prompt=limit is not None, token_limit=limit)

    def measure(self, images, prompt):
        return images[:, self.channel].mean((1, 2)).unsqueeze(1)

    def combine(self, pool):
        return pool[:, 0]

    def count_tokens(self, prompt):
        return len(prompt.split()) if self.card.prompt else None


def test_columns_are_those_of_all_members(images):
    ensemble = Ensemble([Toy(0), Toy(1)])
    assert ensemble.columns == ("mean", "mean 2")
    assert torch.equal(ensemble.measure(images, ""), images[:, :2].mean((2, 3)))


def test_a_batch_measures_as_its_pictures_one_by_one(images):
    ensemble = Ensemble([Toy(0), Toy(2)])
    single = torch.cat([ensemble.measure(image[None], "") for image in images])
    assert torch.equal(ensemble.measure(images, ""), single)


def test_ranks_are_averaged_over_the_pool():
    scores = Ensemble([Toy(0), Toy(1)]).combine(torch.tensor([[0.1, 0.3], [0.2, 0.9], [0.3, 0.2]]))
    torch.testing.assert_close(scores, torch.tensor([0.5, 5 / 6, 2 / 3]).double(), rtol=0, atol=1e-6)


def test_weights_belong_to_the_verifiers_in_order():
    pool = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert Ensemble([Toy(0), Toy(1)], [2, 1], "weighted sum").combine(pool).tolist() == [2.0, 1.0]


def test_z_scores_use_the_typical_spread_of_each_member():
    pool = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    scores = Ensemble([Toy(0, spread=100.0), Toy(1, spread=0.01)], combination="z-score").combine(pool)
    assert scores[0] > scores[1]


def test_an_ensemble_in_an_ensemble_counts_as_one_verifier():
    inner = Ensemble([Toy(0), Toy(1)], combination="weighted sum")
    outer = Ensemble([inner, Toy(2)], combination="weighted sum")
    assert outer.combine(torch.tensor([[1.0, 2.0, 4.0]])).tolist() == [7.0]
    assert [member.channel for member in members(outer)] == [0, 1, 2]


def test_it_reads_the_prompt_if_one_member_does():
    ensemble = Ensemble([Toy(0), Toy(1, limit=5), Toy(2, limit=3)])
    assert ensemble.card.prompt and ensemble.card.token_limit == 3
    assert ensemble.count_tokens("a red cube") == 3
    assert not Ensemble([Toy(0)]).card.prompt
    assert Ensemble([Toy(0)]).count_tokens("a red cube") is None


def test_it_costs_what_its_slowest_member_does():
    slow = Toy(1)
    slow.card = replace(slow.card, cost="heavy")
    assert Ensemble([Toy(0), slow]).card.cost == "heavy" and Ensemble([Toy(0)]).card.cost == "light"


# Members with settings of their own


def test_own_weights_multiply_the_ensembles():
    pool = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    ensemble = Ensemble([Adjusted(Toy(0), weight=3), Adjusted(Toy(1), weight=-0.5)], [2, 4], "weighted sum")
    assert ensemble.combine(pool).tolist() == [6.0, -2.0]


@pytest.mark.parametrize("combination", ["mean rank", "z-score", "weighted sum", "min"])
def test_a_picture_below_a_members_floor_ranks_behind_all_others(combination):
    ensemble = Ensemble([Toy(0), Adjusted(Toy(1), floor=0.5)], combination=combination)
    pool = torch.tensor([[9.0, 0.49], [1.0, 0.6], [8.0, 0.1], [0.5, 0.5]])
    assert ensemble.combine(pool).argsort(descending=True).tolist() == [1, 3, 0, 2]


def test_a_gate_of_weight_zero_only_gates():
    ensemble = Ensemble([Toy(0), Adjusted(Toy(1), weight=0, floor=0.5)])
    assert ensemble.combine(torch.tensor([[1.0, 0.9], [2.0, 0.5], [3.0, 0.4]])).argsort().tolist() == [2, 0, 1]


def test_misses_of_several_floors_add_up_in_typical_deviations():
    ensemble = Ensemble([Adjusted(Toy(0, spread=0.1), floor=1.0), Adjusted(Toy(1, spread=2.0), floor=10.0)])
    missed = ensemble.missed(torch.tensor([[0.7, 6.0], [2.0, 9.0], [1.0, 10.0]]))
    torch.testing.assert_close(missed, torch.tensor([5.0, 0.5, 0.0]).double(), rtol=0, atol=1e-5)


def test_a_floor_inside_an_inner_ensemble_holds_for_the_outer_one():
    inner = Ensemble([Adjusted(Toy(0), floor=0.5), Toy(1)])
    outer = Ensemble([inner, Toy(2)], [1.0, 100.0], "weighted sum")
    scores = outer.combine(torch.tensor([[0.4, 1.0, 50.0], [0.6, 0.0, 1.0]]))
    assert scores[1] > scores[0]


def test_a_pool_of_one_that_misses_has_a_finite_score():
    assert Ensemble([Adjusted(Toy(0), floor=2.0)]).combine(torch.tensor([[1.0]])).isfinite().all()


def test_a_turned_round_member_with_a_floor_is_turned_round_once():
    member = Adjusted(Toy(0), weight=-1, floor=0.2)
    pool = torch.tensor([[0.1], [0.3], [0.5]])
    for judge in (member, Ensemble([member], combination="weighted sum"), Ensemble([member])):
        assert judge.combine(pool).argsort(descending=True).tolist() == [1, 2, 0]


def test_members_count_the_tokens_of_what_they_read():
    ensemble = Ensemble([Toy(0, limit=5), Adjusted(Toy(1, limit=5), prompt="one two")])
    assert [member.count_tokens("a red cube") for member in members(ensemble)] == [3, 2]
    around = Adjusted(ensemble, prompt="just these four words")
    assert [member.count_tokens("a red cube") for member in members(around)] == [4, 2]


class Estimating(Toy):
    """Also looks at the estimates."""

    def __init__(self, channel, estimate_at):
        super().__init__(channel)
        self.estimate_at = estimate_at

    def measure(self, images, prompt, estimates):
        return super().measure(images, prompt) + super().measure(estimates, prompt)


def test_estimates_reach_exactly_the_members_that_want_them(images):
    inner = Ensemble([Toy(1), Estimating(0, 0.6)])
    ensemble = Ensemble([Toy(0), Adjusted(inner, weight=2), Estimating(2, 0.6)])
    means = images.mean((2, 3))
    measured = ensemble.measure(images, "", estimates=1 - images)
    expected = torch.stack([means[:, 0], means[:, 1], torch.ones(5), torch.ones(5)], dim=1)
    torch.testing.assert_close(measured, expected)


def test_members_must_want_estimates_of_one_level():
    assert Ensemble([Toy(0), Estimating(0, 0.6), Adjusted(Estimating(1, 0.6))]).estimate_at == 0.6
    assert Ensemble([Toy(0)]).estimate_at is None
    with pytest.raises(ValueError, match=r"estimate_at must be the same for all verifiers that have one, got 0.3, 0.6"):
        Ensemble([Estimating(0, 0.6), Estimating(1, 0.3)])


def test_only_a_weighted_sum_gives_a_picture_a_value_of_its_own():
    assert Ensemble([Toy(0)], combination="weighted sum").card.absolute
    assert not Ensemble([Toy(0)]).card.absolute
    with pytest.raises(ValueError, match="only compares pictures"):
        Adjusted(Ensemble([Toy(0)]), floor=0.5)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (([],), "at least one verifier"),
        (([Toy(0), Toy(1)], [1.0]), "one number per verifier, 2 in all, got 1"),
        (([Toy(0)], [0.0]), "not all 0, got 0.0"),
        (([Toy(0)], [float("nan")]), "finite"),
        (([Adjusted(Toy(0), weight=0, floor=1.0)],), "not all 0, got 0"),
        (([Toy(0)], (), "median"), "mean rank, z-score, weighted sum, min, got median"),
    ],
)
def test_what_makes_no_ensemble_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        Ensemble(*arguments)
