"""The scenes, their language, their held-out split and their exact judge."""

import random
from dataclasses import replace

import numpy as np
import pytest
from noise_search.demo import scenes
from noise_search.demo.captions import draw, reword
from noise_search.demo.flaws import altered, draw_flawed, wrong_objects

FEW = 25


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_every_picture_passes_the_check_of_its_own_scene(family):
    rng = random.Random(1)
    for _ in range(FEW):
        scene = scenes.draw_training(rng, family)
        verdict = scenes.verify(scenes.picture(scene, rng), scene)
        assert verdict.passed and verdict.score == 1, scene.caption


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_a_picture_of_another_meaning_fails(family):
    rng = random.Random(2)
    failed = 0
    for _ in range(FEW):
        scene = scenes.draw_training(rng, family)
        verdict = scenes.verify(scenes.picture(altered(scene, rng), rng), scene)
        assert verdict.passed == (verdict.score == 1)
        failed += not verdict.passed
    # "left of" may change to "above" and, rarely, both hold by chance.
    assert failed >= FEW - 1


def test_malformed_and_wrong_pictures_score_below_right_ones():
    rng = random.Random(3)
    drawn = [scenes.draw_training(rng) for _ in range(60)]
    malformed = [scenes.verify(draw_flawed(scenes.place(one, rng), rng).clip(0, 1), one).score for one in drawn]
    wrong = [scenes.verify(scenes.render(wrong_objects(one, rng)), one).score for one in drawn]
    assert np.mean(malformed) < 0.8 and np.mean(wrong) < 0.85


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_every_wording_of_a_caption_is_read_back_as_the_same_scene(family):
    rng = random.Random(4)
    for _ in range(FEW):
        scene = reword(draw(family, rng), rng)
        assert scenes.parse(scene.caption) == scene, scene.caption


def test_captions_outside_the_grammar_are_refused_by_name():
    for caption in ("a red dog", "a red circle beside a blue square", "a red circle and", ""):
        with pytest.raises(ValueError, match="caption must follow the grammar"):
            scenes.parse(caption)


def test_captions_that_no_family_draws_can_still_be_judged():
    scene = scenes.parse("a small red circle and a big blue square in the top left corner")
    assert scene.family == "free" and [str(thing) for thing in scene.things] == ["small red circle", "big blue square"]


def test_the_meaning_ignores_wording_and_order():
    pairs = (
        ("a red circle and a blue square", "a photo of a blue square and a red circle"),
        ("a red circle to the left of a blue square", "blue square right of one red circle"),
        ("two red circles and a blue square", "a blue square and two red circles"),
    )
    for one, other in pairs:
        assert scenes.parse(one).meaning() == scenes.parse(other).meaning()
    assert (
        scenes.parse("a red circle above a blue square").meaning()
        != scenes.parse("a red circle below a blue square").meaning()
    )


def test_held_out_captions_never_appear_in_a_training_draw():
    held_out = {scene.meaning() for scene in scenes.held_out(count=260, seed=3)}
    rng = random.Random(5)
    trained = {scenes.parse(scenes.draw_training(rng).caption).meaning() for _ in range(5000)}
    assert not held_out & trained


def test_about_one_meaning_in_eight_is_held_out():
    rng = random.Random(6)
    share = np.mean([draw("four", rng).is_held_out() for _ in range(4000)])
    assert 0.105 < share < 0.145


def test_drawing_held_out_captions_is_deterministic_balanced_and_without_duplicates():
    once, again = scenes.held_out(count=104, seed=7), scenes.held_out(count=104, seed=7)
    assert [scene.caption for scene in once] == [scene.caption for scene in again]
    assert len({scene.meaning() for scene in once}) == 104
    assert all(sum(scene.family == name for scene in once) >= 4 for name in scenes.FAMILIES)
    assert [scene.caption for scene in scenes.held_out(count=104, seed=8)] != [scene.caption for scene in once]


def test_asking_for_more_held_out_captions_than_exist_names_the_limit():
    with pytest.raises(ValueError, match="count must be at most 4 for family single, got 5"):
        scenes.held_out("single", 5)


def test_an_unknown_family_is_refused_by_name():
    with pytest.raises(ValueError, match="family must be one of .* got 'many'"):
        scenes.held_out("many")


def test_an_empty_canvas_shows_nothing_and_fails():
    scene = scenes.parse("a red circle")
    verdict = scenes.verify(scenes.render([]), scene)
    assert not verdict.passed and verdict.score == 0 and verdict.detections == []


def test_an_extra_object_is_noticed():
    rng = random.Random(8)
    scene = scenes.parse("a red circle and a blue square")
    more = replace(scene, things=(*scene.things, scene.things[0]))
    verdict = scenes.verify(scenes.picture(more, rng), scene)
    assert not verdict.passed and verdict.score == pytest.approx(2 / 3)


def test_judging_refuses_other_sizes():
    with pytest.raises(ValueError, match=r"image must have shape \(64, 64, 3\), got \(32, 32, 3\)"):
        scenes.verify(np.zeros((32, 32, 3)), scenes.parse("a red circle"))
