"""The moves along the path on data whose laws are known: what a step keeps, what it loses, and that noise comes in and
out by the book.
"""

import math

import pytest
import torch
from noise_search.search import Path, fresh, renoise
from noise_search.tests.search.flows import Mixture, Together, eps_schedule, flow_schedule, gaussian
from torch import Tensor

MANY = 40_000
SCHEDULES = {"flow": flow_schedule(4), "eps": eps_schedule(6, highest=10.0, lowest=0.1)}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


def noised(clean: Tensor, eps: Tensor, level: float, schedule) -> Tensor:
    return (1 - level if schedule.flow else 1.0) * clean + level * eps


def normal(seed: int) -> Tensor:
    return torch.randn((1, MANY), generator=torch.Generator().manual_seed(seed))


def stepped(data: Mixture, schedule, start: float, end: float, eta: float) -> tuple[Tensor, Tensor]:
    """Exact states of the data at `start`, and what one step makes of them."""
    clean = data.means + data.deviation * normal(1)
    walk = Path(fresh(0), (start, end), 5, eta)
    walker = Together(data.denoise, schedule, lambda clean: clean[:, 0], MANY)
    eps = normal(2)
    return noised(clean, eps, start, schedule), noised(*walker.walked_together([walk], clean, eps), end, schedule)


@pytest.mark.parametrize(
    ("eta", "kept"),
    [(0.0, (0.90, 0.80, 0.80, 0.90)), (0.5, (0.90, 0.737, 0.737, 0.90)), (1.0, (0.90, 0.55, 0.55, 0.90))],
)
def test_each_step_keeps_the_share_of_the_variance_that_is_known_for_gaussian_data(eta, kept):
    levels, data = flow_schedule(4).levels, gaussian(0.0, 1.0, MANY)
    for start, end, share in zip(levels, levels[1:], kept, strict=False):
        _, state = stepped(data, flow_schedule(4), start, end, eta)
        assert state.var().item() / ((1 - end) ** 2 + end**2) == pytest.approx(share, abs=0.025), start


@every_schedule
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_signal_and_noise_keep_their_coefficients_for_every_eta(schedule, eta):
    """Data that is one point: the state at a level is alpha x0 + sigma eps, whatever part of eps is new."""
    start, end = schedule.levels[1:3]
    _, state = stepped(gaussian(2.0, 0.0, MANY, schedule.flow), schedule, start, end, eta)
    assert state.mean().item() == pytest.approx(2 * (1 - end if schedule.flow else 1.0), abs=4 * end / MANY**0.5)
    assert state.std().item() == pytest.approx(end, rel=0.02)


@every_schedule
@pytest.mark.parametrize(("eta", "old"), [(0.0, 1.0), (0.5, math.sqrt(0.5)), (1.0, 0.0)])
def test_eta_is_the_share_of_new_noise(schedule, eta, old):
    start, end = schedule.levels[1:3]
    before, after = stepped(gaussian(0.0, 0.0, MANY, schedule.flow), schedule, start, end, eta)
    assert torch.corrcoef(torch.cat([before, after]))[0, 1].item() == pytest.approx(old, abs=0.02)


@every_schedule
def test_the_ode_maps_noise_to_pictures_by_the_affine_map_that_gaussian_data_has(schedule):
    data = gaussian(1.5, 0.6, 5, schedule.flow)
    walker = Together(data.denoise, schedule, lambda clean: clean[:, 0], 5)
    factor = 1.0 if schedule.flow else schedule.levels[0]  # of the noise in a state around alpha times the mean
    for start, end in zip(schedule.levels, schedule.levels[1:], strict=False):
        here, there = (1 - level if schedule.flow else 1.0 for level in (start, end))
        factor *= (here * there * 0.36 + start * end) / ((0.6 * here) ** 2 + start**2)
    noise = walker.start(Path(fresh(3), schedule.levels))[1]
    picture = walker.state(fresh(3))[0]
    expected = 1.5 + factor * noise
    start = schedule.levels[0]
    if not schedule.flow:  # it starts from noise alone, where data at a finite level would be centred on its mean
        expected = expected - factor / start * 1.5
    torch.testing.assert_close(picture, expected, atol=1e-4, rtol=1e-4)


def test_with_many_steps_the_ode_carries_normal_noise_to_the_law_of_the_data():
    data = gaussian(-1.0, 0.6, 5)
    walker = Together(data.denoise, flow_schedule(400), lambda clean: clean[:, 0], 5)
    noise = walker.start(Path(fresh(3), walker.schedule.levels))[1]
    torch.testing.assert_close(walker.state(fresh(3))[0], -1 + 0.6 * noise, atol=0.02, rtol=0)


@every_schedule
def test_noise_that_is_put_back_leads_to_the_law_of_the_higher_level(schedule):
    """Two modes: mean, variance and fourth moment of the states at the level above are those of the data there."""
    data = Mixture(torch.tensor([[-1.0], [2.0]]), 0.3, schedule.flow)
    low, high = schedule.levels[-2], schedule.levels[-4]
    clean, eps = data.draw(MANY, seed=1), torch.randn((MANY, 1), generator=torch.Generator().manual_seed(2))
    state = noised(clean, eps, low, schedule)
    estimate = data.denoise(state, low)
    alpha = 1 - low if schedule.flow else 1.0
    walker = Together(data.denoise, schedule, lambda clean: clean[:, 0], MANY)
    parent = Path(fresh(1), (schedule.levels[0], low))
    walker.states[parent] = (estimate.T, ((state - alpha * estimate) / low).T)
    up = noised(*walker.start(renoise(parent, (high, 0.0), 9)), high, schedule)[0]
    direct = noised(
        data.draw(MANY, seed=3), torch.randn((MANY, 1), generator=torch.Generator().manual_seed(4)), high, schedule
    )[:, 0]
    for power in (1, 2, 4):
        spread = math.sqrt(2 / MANY) * direct.pow(power).std().item()
        assert up.pow(power).mean().item() == pytest.approx(direct.pow(power).mean().item(), abs=4 * spread), power
    assert torch.corrcoef(torch.stack([up, state[:, 0]]))[0, 1] > 0.3  # it is still the picture that it was


def test_a_picture_that_came_in_is_noised_as_data_is():
    schedule = SCHEDULES["flow"]
    clean = 2 + normal(7)
    walker = Together(gaussian(2.0, 1.0, MANY).denoise, schedule, lambda clean: clean[:, 0], MANY, clean=clean)
    state = noised(*walker.start(renoise(None, (0.5, 0.25, 0.0), 3)), 0.5, schedule)
    rest = state - 0.5 * clean
    assert rest.mean().item() == pytest.approx(0, abs=0.01) and rest.std().item() == pytest.approx(0.5, abs=0.01)
    assert torch.equal(walker.state(Path(None, (0.0,)))[0], clean)
