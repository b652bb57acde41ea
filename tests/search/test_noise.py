"""The noise algebra: exactly N(0, I) after any chain of operations, exactly the host's draws, no limits of depth."""

import copy
import json
import math
import shutil
import subprocess

import pytest
import torch
from noise_search.search.bands import in_band
from noise_search.search.leaves import leaf_digest
from noise_search.search.noise import (
    SeedStream,
    ancestry,
    check_independent,
    draw,
    fresh,
    leaf,
    materialize,
    mix,
    span,
    unused,
)
from noise_search.tests.search.normality import complaints, is_standard_normal

SHAPES = [(8, 32, 32)]
SOFT_MASK = (torch.linspace(0, 1, 32)[None, None, None, :].expand(1, 1, 32, 32),)
MASK = leaf_digest(SOFT_MASK)
LEAVES = {MASK: SOFT_MASK}
FROZEN_FRESH, FROZEN_MIX = "abf94878848189c650a06d7ebd070599", "18099f94f4a00609b24f657789d32250"
FROZEN_SEED = 372975537868505


def noise_of(*candidates, shapes=SHAPES, leaves=LEAVES):
    return materialize(candidates, shapes, leaves)[0]


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


def chain(parent, operation, length, first_seed):
    for seed in range(first_seed, first_seed + length):
        parent = operation(parent, seed)
    return parent


CHAINS = {
    "fresh": lambda seed: fresh(seed),
    "mix": lambda seed: chain(fresh(seed), lambda parent, new: mix(parent, new, 0.9), 40, seed + 100),
    "mix in a mask": lambda seed: chain(fresh(seed), lambda parent, new: mix(parent, new, 0.8, MASK), 40, seed + 100),
    "mix in a band": lambda seed: chain(
        fresh(seed), lambda parent, new: mix(parent, new, 0.8, band=((0.0, 0.4), (0.3, 1.0))[new % 2]), 40, seed + 100
    ),
    "span": lambda seed: span([0.6, -0.8], [fresh(seed), fresh(seed + 100)]),
    "all": lambda seed: mix(
        span([0.6, 0, 0.8], [mix(fresh(seed), seed + 100, 0.5, MASK), fresh(seed + 200), fresh(seed + 300)]),
        seed + 400,
        0.95,
    ),
}


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
def test_every_chain_of_operations_stays_standard_normal(make):
    assert complaints(noise_of(*(make(1000 * index) for index in range(6)))) == []


@pytest.mark.parametrize("strength", [0.1, 0.3])
def test_the_checker_fails_an_additive_operator(strength):
    moved = noise_of(*(fresh(index) for index in range(6)))
    for index in range(5):
        moved = moved + strength * noise_of(*(fresh(100 + 10 * index + row) for row in range(6)))
    assert not is_standard_normal(moved)


def test_the_checker_fails_noise_that_is_smooth_clipped_or_of_uneven_norm():
    noise = noise_of(*(fresh(index) for index in range(6)))
    smooth = (noise + noise.roll(1, -1)) / math.sqrt(2)
    assert "spectrum" in complaints(smooth)
    assert "law" in complaints(noise.clamp(-1.5, 1.5))
    assert "norms" in complaints(noise * torch.tensor([0.9, 1.1, 1, 1, 1, 1]).view(6, 1, 1, 1))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.95, 1.0])
def test_a_mixture_correlates_with_its_parent_by_rho(rho):
    assert correlation(noise_of(fresh(1)), noise_of(mix(fresh(1), 2, rho))) == pytest.approx(rho, abs=0.04)


def test_a_chain_of_mixtures_correlates_by_the_product_of_its_steps():
    end = chain(fresh(1), lambda parent, seed: mix(parent, seed, 0.9), 5, 10)
    assert correlation(noise_of(fresh(1)), noise_of(end)) == pytest.approx(0.9**5, abs=0.04)


def test_a_mixture_is_the_formula():
    got = noise_of(mix(fresh(1), 2, 0.6))
    assert torch.allclose(got, 0.6 * draw(1, SHAPES)[0] + 0.8 * draw(2, SHAPES)[0], atol=1e-6)


def test_a_mask_mixes_nothing_outside_and_everything_inside():
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 16:] = 1
    before, after = noise_of(fresh(1)), noise_of(mix(fresh(1), 2, 0.5, "half"), leaves={"half": (mask,)})
    assert torch.equal(after[..., :16], before[..., :16])
    assert correlation(after[..., 16:], before[..., 16:]) == pytest.approx(0.5, abs=0.05)


def test_a_full_mask_is_no_mask():
    full = noise_of(mix(fresh(1), 2, 0.7, "full"), leaves={"full": (torch.ones(1, 1, 1, 1),)})
    assert torch.equal(full, noise_of(mix(fresh(1), 2, 0.7)))


def test_every_column_of_a_soft_mask_keeps_variance_one():
    noise = noise_of(
        *(
            chain(fresh(index), lambda parent, seed: mix(parent, seed, 0.5, MASK), 3, 1000 + 10 * index)
            for index in range(20)
        )
    )
    variances = noise.var(dim=(0, 1, 2))
    assert (variances - 1).abs().max() < 4.5 * math.sqrt(2 / (20 * 8 * 32))


def test_a_band_mixes_its_own_frequencies_and_leaves_all_others():
    before, after = noise_of(fresh(1)), noise_of(mix(fresh(1), 2, 0.5, band=(0.0, 0.25)))
    low, high = ((in_band(before, band), in_band(after, band)) for band in ((0.0, 0.25), (0.25, 1.0)))
    assert torch.allclose(*high, atol=1e-6)
    assert torch.allclose(low[1], 0.5 * low[0] + math.sqrt(0.75) * in_band(draw(2, SHAPES)[0], (0.0, 0.25)), atol=1e-5)
    assert in_band(before, (0.0, 0.25)).square().sum() / before.square().sum() == pytest.approx(1 / 16, rel=0.2)


def test_the_lowest_band_is_the_mean_of_each_channel():
    noise = noise_of(fresh(1))
    assert torch.allclose(in_band(noise, (0.0, 1 / 32)), noise.mean((-1, -2), keepdim=True).expand_as(noise), atol=1e-6)


def test_the_bands_of_a_sound_run_along_its_last_axis():
    sound = draw(1, [(8, 64)])[0]
    smooth = in_band(sound, (0.0, 0.1))
    assert smooth.diff(dim=-1).abs().mean() < 0.2 * sound.diff(dim=-1).abs().mean()
    # channels stay unrelated
    assert smooth.diff(dim=-2).square().mean() / smooth.square().mean() == pytest.approx(2, rel=0.4)


def test_a_span_with_itself_is_refused_because_its_variance_would_not_be_one():
    related = span([0.6, 0.8], [mix(fresh(1), 2, 0.9), mix(fresh(1), 3, 0.9)])
    for candidate in (
        related,
        mix(fresh(1), 1, 0.5),
        mix(mix(fresh(1), 2, 0.5), 2, 0.5),
        span([0.6, 0.8], [leaf("a", 0), leaf("a", 0)]),
    ):
        with pytest.raises(ValueError, match="must use every draw once"):
            noise_of(candidate)


def test_a_fresh_candidate_is_what_the_host_draws_for_its_seed():
    for seed in (0, 42, 2**50 - 1, 2**64 - 1):
        generator = torch.manual_seed(seed)  # as the host's prepare_noise
        stock = [
            torch.randn([1, *shape], dtype=torch.float32, generator=generator, device="cpu")
            for shape in [(16, 8, 8), (8, 3, 4)]
        ]
        assert all(map(torch.equal, materialize([fresh(seed)], [(16, 8, 8), (8, 3, 4)]), stock))


def test_drawing_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    noise_of(mix(fresh(1), 2, 0.5))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_row_does_not_depend_on_its_company():
    candidates = [
        fresh(1),
        mix(fresh(1), 2, 0.9),
        mix(mix(fresh(1), 2, 0.9), 3, 0.9),
        span([0.6, 0.8], [fresh(1), fresh(9)]),
        fresh(1),
    ]
    together = noise_of(*candidates)
    assert together.shape == (5, *SHAPES[0]) and together.dtype == torch.float32
    for row, candidate in zip(together, candidates, strict=True):
        assert torch.equal(row, noise_of(candidate)[0])


def test_all_streams_of_a_nested_latent_are_made():
    first, second = materialize([mix(fresh(1), 2, 0.6), fresh(3)], [(4, 2, 8, 8), (8, 5)])
    assert first.shape == (2, 4, 2, 8, 8) and second.shape == (2, 8, 5)
    assert torch.allclose(
        second[:1], 0.6 * draw(1, [(4, 2, 8, 8), (8, 5)])[1] + 0.8 * draw(2, [(4, 2, 8, 8), (8, 5)])[1], atol=1e-6
    )


def test_no_candidates_make_an_empty_noise():
    assert noise_of().shape == (0, *SHAPES[0])


def test_a_leaf_is_the_noise_that_came_in():
    tensors = (torch.randn(1, *SHAPES[0], dtype=torch.float64),)
    candidate = leaf(leaf_digest(tensors), 5)
    assert torch.equal(noise_of(candidate, leaves={leaf_digest(tensors): tensors}), tensors[0].float())
    assert mix(candidate, 1, 0.9).sampler_seed == 5 and candidate.plain_seed is None


def test_a_missing_or_unfit_leaf_is_an_error_that_names_it():
    wrong, infinite = torch.zeros(1, 4, 8, 8), torch.full((1, *SHAPES[0]), math.inf)
    with pytest.raises(ValueError, match="none with digest abc"):
        noise_of(leaf("abc", 0))
    with pytest.raises(ValueError, match=r"noise abc must have shape \[\(1, 8, 32, 32\)\], got \[\(1, 4, 8, 8\)\]"):
        noise_of(leaf("abc", 0), leaves={"abc": (wrong,)})
    with pytest.raises(ValueError, match="noise abc must be finite"):
        noise_of(leaf("abc", 0), leaves={"abc": (infinite,)})
    with pytest.raises(ValueError, match="mask abc must broadcast to"):
        noise_of(mix(fresh(1), 2, 0.5, "abc"), leaves={"abc": (wrong,)})
    with pytest.raises(ValueError, match=r"mask abc must be in \[0, 1\]"):
        noise_of(mix(fresh(1), 2, 0.5, "abc"), leaves={"abc": (torch.full((1, 1, 1, 1), 1.5),)})


def test_the_digest_knows_values_shape_and_type():
    zeros = torch.zeros(1, 4, 8, 8)
    others = [(zeros + 1,), (zeros.reshape(1, 8, 4, 8),), (zeros.double(),), (zeros, zeros), (zeros.bfloat16(),)]
    assert len({leaf_digest(streams) for streams in [(zeros,), *others]}) == 6
    assert leaf_digest((zeros.permute(0, 1, 3, 2),)) == leaf_digest((zeros,)) and len(leaf_digest((zeros,))) == 32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fresh(-1), "seed must be a whole number in"),
        (lambda: fresh(2**64), "seed must be a whole number in"),
        (lambda: fresh(1.0), "got 1.0"),
        (lambda: mix(fresh(1), 2, 1.1), r"rho must be in \[0, 1\], got 1.1"),
        (lambda: mix(fresh(1), 2, math.nan), "rho must be in"),
        (lambda: mix(fresh(1), 2, 0.5, band=(0.5, 0.5)), r"band must go up within \[0, 1\], got 0.5 to 0.5"),
        (lambda: mix(fresh(1), 2, 0.5, band=(-0.1, 0.5)), "band must go up"),
        (lambda: mix(fresh(1), 2, 0.5, "abc", (0.0, 0.5)), "a mix must be inside a mask or a band, got both"),
        (lambda: span([0.6, 0.7], [fresh(1), fresh(2)]), "weights must have unit norm"),
        (lambda: span([1.0], [fresh(1), fresh(2)]), "weights must be one per parent, got 1 for 2"),
        (lambda: span([], []), "weights must be one per parent"),
        (lambda: span([math.nan], [fresh(1)]), "unit norm"),
    ],
)
def test_operations_refuse_what_is_not_theirs(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rounding_of_span_weights_is_repaired_once_for_all():
    third = 0.5773503
    weights = span([third] * 3, [fresh(1), fresh(2), fresh(3)]).weights
    assert math.fsum(weight**2 for weight in weights) == pytest.approx(1, abs=1e-15)
    assert span(weights, [fresh(1), fresh(2), fresh(3)]).weights == weights


def test_candidates_are_equal_when_their_expressions_are():
    assert mix(fresh(1), 2, 0.5) == mix(fresh(1), 2, 0.5) and len({fresh(1), fresh(1), fresh(2)}) == 2
    different = [
        fresh(1),
        fresh(2),
        leaf("1", 1),
        leaf("", 1),
        mix(fresh(1), 2, 0.5),
        mix(fresh(1), 2, 0.6),
        mix(fresh(1), 3, 0.5),
        mix(fresh(2), 2, 0.5),
        mix(fresh(1), 2, 0.5, "m"),
        mix(fresh(1), 2, 0.5, band=(0, 0.5)),
        mix(fresh(1), 2, 0.5, band=(0, 0.6)),
        span([0.6, 0.8], [fresh(1), fresh(2)]),
        span([0.6, 0.8], [fresh(2), fresh(1)]),
    ]
    assert len({candidate.key for candidate in different}) == len(different)
    with pytest.raises(AttributeError):
        fresh(1).seed = 2


def test_keys_do_not_change_between_versions_of_the_pack():
    assert fresh(123).key == FROZEN_FRESH
    assert mix(fresh(123), 456, 0.95).key == mix(fresh(123), 456, 0.95, band=(0, 1)).key == FROZEN_MIX


def test_the_sampler_seed_follows_the_first_parent_and_only_fresh_noise_has_a_plain_seed():
    moved = mix(span([0.6, 0.8], [mix(fresh(7), 8, 0.5), fresh(9)]), 10, 0.5)
    assert moved.sampler_seed == 7 and moved.plain_seed is None and fresh(7).plain_seed == 7


def test_thousands_of_moves_are_no_trouble():
    end = chain(fresh(0), lambda parent, seed: mix(parent, seed, 0.99), 20_000, 1)
    assert len(ancestry(end)) == 20_001 and end.sampler_seed == 0
    check_independent(end)
    assert end == copy.deepcopy(end) and "mix" in repr(end)
    assert (
        complaints(
            noise_of(chain(fresh(0), lambda parent, seed: mix(parent, seed, 0.99), 2_000, 1), shapes=[(4, 16, 16)])
        )
        == []
    )


def test_seeds_are_the_same_everywhere_and_never_count_up():
    seeds = SeedStream(5)
    drawn = [next(seeds) for _ in range(4096)]
    assert drawn == [SeedStream(5).at(0, index) for index in range(4096)] and drawn[0] == FROZEN_SEED
    assert all(0 <= seed < 2**50 for seed in drawn) and len(set(drawn)) == 4096
    assert all(abs(a - b) > 1 for a, b in zip(drawn, drawn[1:], strict=False)) and max(drawn) > 2**49
    assert not {SeedStream(6).at(0, index) for index in range(4096)} & set(drawn)
    assert SeedStream(5).at(1, 0) != drawn[0]


def test_seeds_survive_a_number_of_a_browser():
    drawn = [SeedStream(run).at(0, index) for run in range(8) for index in range(256)] + [2**50 - 1]
    assert all(int(float(seed)) == seed for seed in drawn)
    if node := shutil.which("node"):
        script = "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(Number)))"
        answer = subprocess.run(
            [node, "-e", script, json.dumps(drawn)], capture_output=True, text=True, check=True, timeout=60
        )
        assert json.loads(answer.stdout) == drawn


def test_seeds_that_a_noise_is_made_of_are_skipped():
    start = mix(fresh(SeedStream(5).at(0, 0)), SeedStream(5).at(0, 2), 0.9)
    stream = unused(SeedStream(5), start)
    assert [next(stream) for _ in range(2)] == [SeedStream(5).at(0, 1), SeedStream(5).at(0, 3)]
