import pytest
import torch
from noise_search.verifiers.base import Card
from noise_search.verifiers.ensemble import Ensemble, members


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


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (([],), "at least one verifier"),
        (([Toy(0), Toy(1)], [1.0]), "one number per verifier, 2 in all, got 1"),
        (([Toy(0)], [0.0]), "not all 0, got 0.0"),
        (([Toy(0)], [float("nan")]), "finite"),
        (([Toy(0)], (), "median"), "mean rank, z-score, weighted sum, got median"),
    ],
)
def test_what_makes_no_ensemble_is_refused(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        Ensemble(*arguments)
