"""The generator behind a noise, which samplers that draw go on with."""

import torch
from noise_search.search import noise
from noise_search.search.noise import draw, state_behind

SHAPES = [(4, 9, 7), (2, 5)]


def goes_on(state):
    generator = torch.Generator()
    generator.set_state(state)
    return torch.randn(5, generator=generator)


def expected(seed):
    generator = torch.Generator().manual_seed(seed)
    for shape in SHAPES:
        torch.randn((1, *shape), generator=generator)
    return torch.randn(5, generator=generator)


def test_who_draws_behind_a_noise_gets_the_same_whether_it_was_just_drawn_or_not():
    noise._states.clear()
    assert torch.equal(goes_on(state_behind(7, SHAPES)), expected(7))
    draw(7, SHAPES)
    assert torch.equal(goes_on(state_behind(7, SHAPES)), expected(7))
    assert torch.equal(goes_on(state_behind(7, SHAPES)), expected(7))  # it was not moved on by who drew


def test_other_seeds_and_sizes_have_other_states():
    draw(7, SHAPES)
    assert not torch.equal(state_behind(8, SHAPES), state_behind(7, SHAPES))
    assert not torch.equal(state_behind(7, SHAPES[:1]), state_behind(7, SHAPES))


def test_a_long_search_keeps_the_states_of_its_last_draws_only():
    for seed in range(3 * noise.STATES):
        draw(seed, [(2,)])
    assert len(noise._states) == noise.STATES
