"""The judge without a ceiling: its distances grow with what is amiss, also between pictures that pass."""

import random

import numpy as np
import pytest
from noise_search.demo import scenes
from noise_search.demo.flaws import draw_flawed, wrong_objects
from noise_search.demo.grades import ABSENT, distance

FEW = 12


@pytest.mark.parametrize("family", scenes.FAMILIES)
def test_a_picture_that_was_drawn_right_is_near_its_scene(family):
    rng = random.Random(1)
    for _ in range(FEW):
        scene = scenes.draw_training(rng, family)
        assert 0 <= distance(scenes.picture(scene, rng), scene) < 0.2, scene.caption


def test_wrong_and_malformed_pictures_are_farther_away():
    rng = random.Random(2)
    drawn = [scenes.draw_training(rng) for _ in range(40)]
    right = np.mean([distance(scenes.picture(one, rng), one) for one in drawn])
    wrong = np.mean([distance(scenes.render(wrong_objects(one, rng)), one) for one in drawn])
    malformed = np.mean([distance(draw_flawed(scenes.place(one, rng), rng).clip(0, 1), one) for one in drawn])
    assert right < 0.1 < min(wrong, malformed)


def test_each_object_that_is_missing_or_too_much_counts_once():
    scene, rng = scenes.parse("a red circle and a blue square"), random.Random(3)
    one, two = scenes.place(scene, rng)
    near = distance(scenes.render([one, two]), scene)
    assert distance(scenes.render([one]), scene) == pytest.approx(near / 2 + ABSENT / 2, abs=0.1)
    assert distance(scenes.render([]), scene) == ABSENT
    extra = one._replace(x=6.0, y=58.0, radius=5.0)
    apart = one._replace(x=40.0, y=20.0), two._replace(x=20.0, y=20.0)
    many = distance(scenes.render([*apart, extra]), scene)
    assert many == pytest.approx(distance(scenes.render(list(apart)), scene) + ABSENT / 2, abs=0.05)


def test_a_relation_is_missed_by_pixels():
    scene = scenes.parse("a red circle left of a blue square")
    circle, square = scenes.place(scene, random.Random(4))
    apart = [distance(scenes.render([circle._replace(x=x, y=16.0), square._replace(x=32.0, y=48.0)]), scene)
             for x in (8.0, 20.0, 32.0, 44.0, 56.0)]  # fmt: skip
    assert apart == sorted(apart) and apart[-1] > apart[0]


def test_of_two_pictures_that_pass_the_better_drawn_one_is_nearer():
    """The checker gives both of them full marks."""
    scene, rng = scenes.parse("a red circle and a blue square"), random.Random(5)
    picture = scenes.picture(scene, rng)
    tinted = picture * np.array([0.97, 1.0, 0.97], np.float32) + np.array([0.02, 0.0, 0.02], np.float32)
    rough = np.clip(picture + 0.05 * np.random.default_rng(0).standard_normal(picture.shape), 0, 1)
    for worse in (tinted, rough):
        assert scenes.verify(picture, scene).passed and scenes.verify(worse, scene).passed
        assert distance(picture, scene) < distance(worse, scene)
