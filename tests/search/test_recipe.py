"""Recipes: the same noise again from a line of text, and a clear word about every text that is none."""

import json

import pytest
import torch
from noise_search.search.noise import fresh, leaf, materialize, mix, span
from noise_search.search.recipe import MAX_LENGTH, RecipeError, check_shapes, dumps, loads, loads_all

SHAPES = [(16, 8, 8)]
CANDIDATES = {
    "fresh": fresh(2**50 - 1),
    "mix": mix(mix(fresh(123), 456, 0.95), 789, 1 / 3),
    "masked": mix(fresh(1), 2, 0.5, "0123456789abcdef"),
    "span": span([1 / 3**0.5] * 3, [fresh(1), mix(fresh(2), 3, 0.1), leaf("fedc", 2**64 - 1)]),
    "leaf": leaf("fedcba9876543210", 7),
}
GOOD = {"noise_search": 1, "shapes": [[16, 8, 8]], "noise": [["fresh", 1]], "settings": {}}


def with_noise(*entries):
    return json.dumps({**GOOD, "noise": list(entries)})


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=CANDIDATES)
def test_a_recipe_comes_back_byte_for_byte(candidate):
    settings = {
        "steps": 20,
        "cfg": 3.5,
        "sampler": "euler",
        "prompt": "ein Häuschen 🏠\n",
        "nested": {"b": None, "a": [True, 0.1]},
    }
    text = dumps(candidate, [(16, 8, 8), (4, 3)], settings)
    recipe = loads(text)
    assert (
        recipe.candidate == candidate
        and recipe.shapes == ((16, 8, 8), (4, 3))
        and recipe.settings == settings
        and recipe.version == 1
    )
    assert dumps(recipe.candidate, recipe.shapes, recipe.settings) == text
    assert text.isascii() and "\n" not in text


def test_a_recipe_rebuilds_the_same_noise():
    candidate = mix(mix(fresh(123), 456, 0.95), 789, 1 / 3)
    again = loads(dumps(candidate, SHAPES, {})).candidate
    assert torch.equal(materialize([again], SHAPES)[0], materialize([candidate], SHAPES)[0])


def test_the_format_is_frozen():
    text = '{"noise_search":1,"shapes":[[16,8,8]],"noise":[["fresh",123],["mix",0,456,0.95]],"settings":{"steps":20}}'
    assert dumps(mix(fresh(123), 456, 0.95), SHAPES, {"steps": 20}) == text
    assert loads(text).candidate == mix(fresh(123), 456, 0.95)


def test_a_move_inside_a_band_is_of_version_2_and_comes_back():
    moves = '["fresh",1],["mix",0,2,0.5,[0.0,0.25]],["mix",1,3,0.9]'
    text = f'{{"noise_search":2,"shapes":[[16,8,8]],"noise":[{moves}],"settings":{{}}}}'
    candidate = mix(mix(fresh(1), 2, 0.5, band=(0.0, 0.25)), 3, 0.9)
    assert dumps(candidate, SHAPES, {}) == text and loads(text).candidate == candidate and loads(text).version == 2
    with pytest.raises(RecipeError, match="must be of version 2"):
        loads(text.replace('"noise_search":2', '"noise_search":1'))


def test_settings_in_another_order_give_the_same_bytes():
    assert dumps(fresh(1), SHAPES, {"a": 1, "b": 2}) == dumps(fresh(1), SHAPES, {"b": 2, "a": 1})


def test_thousands_of_moves_fit_into_a_recipe():
    candidate = fresh(0)
    for seed in range(1, 4_000):
        candidate = mix(candidate, seed, 0.99)
    assert loads(dumps(candidate, SHAPES, {})).candidate == candidate


def test_settings_that_are_not_finite_are_refused():
    with pytest.raises(ValueError):
        dumps(fresh(1), SHAPES, {"cfg": float("nan")})


BAD = {
    "nothing": ("", "must be JSON"),
    "prose": ("a cat on a mat", "must be JSON, got a cat on a mat"),
    "cut off": (json.dumps(GOOD)[:-5], "must be JSON"),
    "deep": ("[" * 100_000, "must be JSON"),
    "huge integer": ("1" * 100_000, "must have finite numbers, got 1111"),
    "a list": ("[1, 2]", "must be one that Noise Search wrote"),
    "of another program": ('{"steps": 20}', "must be one that Noise Search wrote"),
    "newer": (json.dumps({**GOOD, "noise_search": 3}), "must be of version 1 or 2, got version 3"),
    "version as text": (json.dumps({**GOOD, "noise_search": "1"}), "must be of version 1 or 2, got version 1"),
    "version as truth": (json.dumps({**GOOD, "noise_search": True}), "must be of version 1 or 2, got version True"),
    "more operations than any search makes": (
        json.dumps({**GOOD, "noise": [["fresh", 1], *(["mix", place, place + 2, 0.5] for place in range(4096))]}),
        "must have at most 4096 operations, got 4097",
    ),
    "too long": (
        json.dumps({**GOOD, "settings": {"prompt": "x" * MAX_LENGTH}}),
        "must have at most 1000000 characters",
    ),
    "no shapes": (json.dumps({**GOOD, "shapes": []}), "at least one shape"),
    "missing shapes": (
        json.dumps({key: value for key, value in GOOD.items() if key != "shapes"}),
        "must have a list of shapes, got None",
    ),
    "shape of zero": (json.dumps({**GOOD, "shapes": [[16, 0, 8]]}), "shapes of positive whole numbers, got"),
    "shape of truth": (json.dumps({**GOOD, "shapes": [[True]]}), "shapes of positive whole numbers"),
    "flat shapes": (json.dumps({**GOOD, "shapes": [16, 8, 8]}), "shapes of positive whole numbers, got 16"),
    "no noise": (with_noise(), "at least one noise"),
    "noise as text": (json.dumps({**GOOD, "noise": "fresh"}), "must have a list of noise"),
    "settings as list": (json.dumps({**GOOD, "settings": []}), "must have a dict of settings"),
    "NaN in settings": (json.dumps({**GOOD, "settings": {"cfg": float("nan")}}), "finite numbers, got NaN"),
    "infinity in settings": (json.dumps({**GOOD, "settings": {}})[:-3] + '{"cfg":1e999}}', "finite numbers, got 1e999"),
    "unknown operation": (with_noise(["blend", 1]), "entry 0 must be an operation"),
    "not a list": (with_noise("fresh"), "entry 0 must be an operation"),
    "empty entry": (with_noise([]), "entry 0 must be an operation"),
    "too many numbers": (with_noise(["fresh", 1, 2]), "entry 0"),
    "negative seed": (with_noise(["fresh", -1]), "seed must be a whole number"),
    "seed too large": (with_noise(["fresh", 2**64]), "seed must be a whole number"),
    "seed with a fraction": (with_noise(["fresh", 1.5]), "seed must be a whole number"),
    "seed as text": (with_noise(["fresh", "1"]), "seed must be a whole number"),
    "seed as truth": (with_noise(["fresh", True]), "seed must be a whole number"),
    "parent ahead": (with_noise(["mix", 1, 2, 0.5], ["fresh", 1]), "index of an earlier entry, got 1"),
    "parent is itself": (with_noise(["mix", 0, 2, 0.5]), "index of an earlier entry, got 0"),
    "parent from behind": (with_noise(["fresh", 1], ["mix", -1, 2, 0.5]), "index of an earlier entry, got -1"),
    "parent as text": (with_noise(["fresh", 1], ["mix", "0", 2, 0.5]), "index of an earlier entry"),
    "rho beyond one": (with_noise(["fresh", 1], ["mix", 0, 2, 1.5]), r"rho must be in \[0, 1\]"),
    "rho as text": (with_noise(["fresh", 1], ["mix", 0, 2, "0.5"]), "entry 1 must be an operation"),
    "rho not a number": (with_noise(["fresh", 1], ["mix", 0, 2, float("nan")]), "finite numbers, got NaN"),
    "weight beyond all floats": (with_noise(["fresh", 1], ["span", [0], [10**400]]), "finite numbers, got 1000"),
    "mask as number": (with_noise(["fresh", 1], ["mix", 0, 2, 0.5, 7]), "entry 1 must be an operation"),
    "band as text": (with_noise(["fresh", 1], ["mix", 0, 2, 0.5, ["0", 1]]), "entry 1 must be an operation"),
    "band that goes down": (with_noise(["fresh", 1], ["mix", 0, 2, 0.5, [0.5, 0.2]]), "band must go up"),
    "weights off": (with_noise(["fresh", 1], ["fresh", 2], ["span", [0, 1], [1, 1]]), "unit norm"),
    "weights missing": (with_noise(["fresh", 1], ["fresh", 2], ["span", [0, 1], [1.0]]), "one per parent"),
    "weights as text": (with_noise(["fresh", 1], ["span", [0], ["1"]]), "entry 1 must be an operation"),
    "a draw used twice": (with_noise(["fresh", 1], ["mix", 0, 1, 0.5]), "every draw once"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_recipe_says_what_is_wrong(text, message):
    with pytest.raises(RecipeError, match=message) as caught:
        loads(text)
    assert len(str(caught.value)) < 400


def test_a_recipe_for_another_shape_names_both():
    with pytest.raises(RecipeError, match=r"16x8x8 \+ 4x3, got one for 16x16x8"):
        check_shapes(loads(dumps(fresh(1), [(16, 16, 8)], {})), [(16, 8, 8), (4, 3)])
    check_shapes(loads(dumps(fresh(1), SHAPES, {})), SHAPES)


def test_several_recipes_follow_each_other_in_their_order():
    texts = [dumps(fresh(seed), [(4, 8, 8)], {}) for seed in (3, 1, 2)]
    for between in (" ", "\n", ""):
        assert [found.candidate.seed for found in loads_all(between.join(texts))] == [3, 1, 2]


@pytest.mark.parametrize("text", ["", "  ", "{} {}", '{"noise_search":1', "[1] 2"])
def test_what_is_not_a_row_of_recipes_is_refused(text):
    with pytest.raises(RecipeError, match="recipe must be"):
        loads_all(text)
