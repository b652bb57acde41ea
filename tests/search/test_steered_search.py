"""Particle steering: the presets, where rungs lie, that copies part, exact evidence on Gaussian data, and what it wins
over best of N.
"""

import math
from collections import Counter
from itertools import pairwise

import pytest
import torch
from noise_search.search import Measured, SeedStream, SteeredSearch, fresh
from noise_search.search.steered_search import Particle
from noise_search.tests.search.flows import Together, best_of_n, bests, flow_schedule, gaussian, interval, searched

FLOW = flow_schedule(20)


def search(schedule=FLOW, pictures=9, **knobs):
    return SteeredSearch(fresh(1), SeedStream(5), schedule=schedule, pictures=pictures, **knobs)


def stages(search, score):
    """Everything asked, stage by stage, told by a score."""
    asked = []
    while stage := search.ask(1000):
        asked.append(stage)
        search.tell(stage, {proposed: score(proposed) for proposed in [*search.held, *stage]})
    return asked


def by_seed(proposed):
    return (proposed.seed * 7919 + 13) % 1009


def test_best_known_is_the_ode_at_both_ends_and_noisy_between():
    walks = search().walks
    assert [levels[-1] for levels, _ in walks] == pytest.approx([0.7, 0.55, 0.4, 0.35, 0.0])
    assert [eta for _, eta in walks] == [0, 0.5, 0.5, 0.5, 0]
    assert sum(len(levels) - 1 for levels, _ in walks) == 20


def test_svdd_sends_all_on_from_the_best_preview_of_every_step():
    own, *rest = stages(search(flow_schedule(6), preset="SVDD"), by_seed)
    assert own == [fresh(1)] and [len(stage) for stage in rest] == [8] * 5
    for before, after in pairwise(rest):
        assert {walk.parent for walk in after} == {max(before, key=by_seed)} and len({walk.seed for walk in after}) == 8


@pytest.mark.parametrize("preset", ["best known", "FK steering", "SVDD"])
def test_copies_of_a_particle_never_become_the_same_picture(preset):
    for schedule in (flow_schedule(5), flow_schedule(20, shift=3.0)):
        for stage in stages(search(schedule, pictures=17, preset=preset, strength=50.0), by_seed)[1:]:
            assert len(set(stage)) == 16
            shared = Counter(walk.parent for walk in stage)
            assert all(walk.eta for walk in stage if shared[walk.parent] > 1)


def test_copies_differ_after_one_step_on_a_model():
    data = gaussian(0.0, 1.0, 4)
    walker = Together(data.denoise, FLOW, lambda clean: clean[:, 0], 4)
    trace = searched(lambda *a, **k: SteeredSearch(*a, **k, strength=50.0), walker, pictures=9, seed=1)
    pictures = torch.cat([walker.state(trial.candidate)[0] for trial in trace.trials if trial.finished])
    assert len(pictures) == 9 and torch.pdist(pictures).min() > 1e-3


def test_it_says_how_well_the_previews_foretold_the_pictures():
    """Pictures that score what their previews did, and pictures that score what nobody foresaw."""

    def by_origin(proposed):
        return by_seed(proposed if not hasattr(proposed, "noise") else proposed.noise)

    faithful, fickle = search(pictures=21, strength=1e-6), search(pictures=21, strength=1e-6)
    stages(faithful, by_origin)
    stages(fickle, lambda proposed: by_origin(proposed) if getattr(proposed, "end", 0) else -by_origin(proposed))
    assert "1.00" in faithful.explain() and "20 pairs) at noise 0.70" in faithful.explain()
    assert "-1.00" in fickle.explain()
    assert "No previews" in search(pictures=2).explain()


def test_pools_of_the_given_size_come_down_one_after_the_other():
    sizes = [len(stage) for stage in stages(search(pictures=9, particles=3), by_seed)]
    assert sizes == [1] + [3] * 5 + [3] * 5 + [2] * 5


def test_rungs_lie_on_the_nearest_levels_of_the_schedule():
    assert search(rungs=(0.83, 0.52)).rungs == pytest.approx((0.85, 0.5))
    shifted = flow_schedule(20, shift=3.0)
    assert set(search(shifted).rungs) < set(shifted.levels) and search(flow_schedule(4)).rungs == (0.75, 0.5)
    assert search(flow_schedule(2)).walks == []  # no room to choose: best of N


def test_the_strength_rises_with_the_share_of_signal():
    rising, constant = (
        search(rungs=(0.8, 0.6), strength=2.0),
        search(rungs=(0.8, 0.6), strength=2.0, temperature="constant"),
    )
    assert [rising._strength(rung) for rung in range(2)] == pytest.approx([1.0, 2.0])
    assert [constant._strength(rung) for rung in range(2)] == [2.0, 2.0]


def test_the_scale_of_the_verifier_does_not_matter():
    plain = stages(search(), by_seed)
    assert plain == stages(search(), lambda proposed: 1e-3 * by_seed(proposed) + 7)
    assert plain != stages(
        search(standardize=False), lambda proposed: by_seed(proposed) - 3.0 * (proposed.seed % 2) * by_seed(proposed)
    )


def test_equal_previews_keep_every_particle():
    for stage, before in zip(
        (asked := stages(search(), lambda proposed: 1.0 + proposed.seed % 7 * 1e-8))[2:], asked[1:], strict=False
    ):
        assert [walk.parent for walk in stage] == before


class WithValues(Together):
    """Tells of every preview what its picture will be worth: the exact log mean of exp(score) over what the walks to
    come make of it.
    """

    def __init__(self, data, schedule, walks):
        super().__init__(data.denoise, schedule, lambda clean: clean[:, 0], data.size)
        self.data, self.walks = data, walks

    def to_come(self, level):
        """Factor and variance that the rest of the way gives to a centred state at this level."""
        factor, variance = 1.0, 0.0
        for levels, eta in self.walks:
            for start, end in pairwise(levels):
                if start <= level:
                    own = (1 - start) * self.data.deviation**2
                    old = math.cos(eta * math.pi / 2) if end else 1.0
                    move = ((1 - end) * own + end * old * start) / ((1 - start) * own + start**2)
                    factor, variance = factor * move, variance * move**2 + end**2 * (1 - old**2)
        return factor, variance

    def measure(self, candidates):
        measured, values = super().measure(candidates), []
        for proposed, row in zip(candidates, measured.values, strict=True):
            level = getattr(proposed, "end", 0.0)
            x0, eps = self.state(proposed)
            factor, variance = self.to_come(level)
            mean = self.data.means[0, 0]
            centred = (1 - level) * (x0[0, 0] - mean) + level * eps[0, 0]
            values.append((float(mean + factor * centred + variance / 2) if level else row[0],))
        return Measured(tuple(values), measured.nfe)


def steered_by_values(seed, particles, **knobs):
    data, found = gaussian(0.5, 0.8, 2), []

    def make(start, seeds, **head):
        found.append(
            SteeredSearch(
                start,
                seeds,
                **head,
                standardize=False,
                strength=1.0,
                potential="difference",
                temperature="constant",
                **knobs,
            )
        )
        return found[0]

    probe = search(flow_schedule(8), **knobs)
    walker = WithValues(data, flow_schedule(8), probe.walks)
    trace = searched(make, walker, particles + 1, seed)
    pictures = [walker.state(trial.candidate)[0][0, 0].item() for trial in trace.trials[1:] if trial.finished]
    factor, variance = walker.to_come(1.0)
    return found[0].log_evidence, 0.5 + (factor**2 + variance) / 2, pictures, factor**2 + variance


@pytest.mark.parametrize(
    "knobs", [{}, {"preset": "FK steering"}, {"least_ess": 0.5, "resampler": "systematic"}], ids=str
)
def test_the_evidence_is_without_bias_where_values_are_exact(knobs):
    """Z = E[exp(score)] = exp(m + tau^2 / 2) over the pictures that the walks make of Gaussian data."""
    ratios = []
    for seed in range(40):
        evidence, exact, _, _ = steered_by_values(seed, particles=8, **knobs)
        ratios.append(math.exp(evidence - exact))
    ratios = torch.tensor(ratios)
    assert abs(ratios.mean().item() - 1) < 3 * ratios.std().item() / 40**0.5 and ratios.std() < 1


def test_the_pictures_follow_the_tilted_law():
    """Tilting by exp(score) moves a Gaussian by its variance; what noise comes in after the last rung is not tilted."""
    runs = [steered_by_values(seed, particles=32, preset="FK steering", rungs=(0.75, 0.5, 0.25)) for seed in range(20)]
    means = torch.tensor([sum(pictures) / len(pictures) for *_, pictures, _ in runs])
    variance = runs[0][3]
    walker = WithValues(
        gaussian(0.5, 0.8, 2),
        flow_schedule(8),
        search(flow_schedule(8), preset="FK steering", rungs=(0.75, 0.5, 0.25)).walks,
    )
    shift = variance - walker.to_come(0.25)[1]
    assert means.mean().item() == pytest.approx(0.5 + shift, abs=3 * means.std().item() / 20**0.5 + 0.02)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"preset": "best"}, "preset must be one of .*, got 'best'"),
        ({"potential": "sum"}, "potential must be one of .*, got 'sum'"),
        ({"temperature": "hot"}, "temperature must be one of .*, got 'hot'"),
        ({"resampler": "dice"}, "resampler must be one of .*, got 'dice'"),
        ({"particles": -1}, "particles must be at least 0"),
        ({"strength": -1.0}, "strength must be above 0"),
        ({"strength": math.inf}, "strength must be above 0"),
        ({"eta": 1.5}, r"eta must be in \[0, 1\]"),
        ({"eta": 0.0}, "eta must be above 0, or copies would stay the same picture, got 0"),
        ({"least_ess": 0.0}, "least_ess must be in"),
        ({"rungs": (1.2, 0.5)}, "rungs must go down within 1 and 0"),
        ({"rungs": (0.5, 0.8)}, "rungs must go down within 1 and 0"),
        ({"rungs": (0.81, 0.8)}, "rungs must have levels of their own among the 18 that 20 steps allow"),
        (
            {"schedule": flow_schedule(4), "rungs": (0.8, 0.6, 0.4, 0.2)},
            "rungs must have levels of their own among the 2 that 4 steps allow",
        ),
    ],
)
def test_bad_knobs_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        search(**knobs)


def test_with_thirty_two_pictures_it_finds_more_than_best_of_thirty_two():
    won = bests(SteeredSearch, FLOW, 32, runs=60) - bests(best_of_n, FLOW, 32, runs=60)
    assert interval(won)[0] > 0.1


@pytest.mark.parametrize(
    ("potential", "log_weights"),
    [("max", [3 * 8 + 3 * 8, 3 * 1 + 3 * 2]), ("current", [3 * 8, 3 * 1 + 3 * 2]), ("difference", [0.0, 3 * 2])],
)
def test_a_particle_whose_previews_fall_is_weighed_by_its_potential(potential, log_weights):
    """Previews of 8 and then 0 beside 1 and then 2, at strength 3: the best so far, the present one, or the present one
    less what was paid.
    """
    steered, (one, other) = (
        search(potential=potential, temperature="constant", strength=3.0, standardize=False),
        (fresh(11), fresh(12)),
    )
    particles = steered._weighed([Particle(one), Particle(other)], {one: 8.0, other: 1.0}, 3.0)
    particles = steered._weighed(particles, {one: 0.0, other: 2.0}, 3.0)
    assert [particle.log_weight for particle in particles] == pytest.approx(log_weights)
