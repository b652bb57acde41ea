"""Strangers' recipes, journals and requests: a few hundred of each here, 100,000 in `python dev.py bench reliability`."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from . import strategies
from .properties import check_journal, check_recipe, check_remembered, check_same_candidate, sound_journal

few = settings(max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@few
@given(strategies.walks(), strategies.settings_of_a_setup)
def test_whatever_can_be_searched_comes_back_from_its_recipe(tried, found_with):
    check_same_candidate(tried, found_with)


@few
@given(strategies.recipe_texts)
def test_any_text_is_a_recipe_that_comes_back_or_is_refused_in_a_few_words(text):
    check_recipe(text)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "one.journal"
    return path, sound_journal(path)


def test_a_damaged_journal_gives_back_only_what_was_written(journal):
    path, sound = journal

    @few
    @given(strategies.changed_bytes(sound))
    def check(data):
        check_journal(path, data)

    check()


def test_a_strangers_record_of_a_picture_is_one_finite_latent_or_nothing(host):
    import torch

    memo, rollout = host.part("nodes.host.memo"), host.part("nodes.host.rollout")
    sound = memo.record(rollout.Particles(torch.ones(1, 16, 8, 8), torch.zeros(1, 16, 8, 8), 0.0, (1,)), 4)
    assert check_remembered(memo, sound)

    @few
    @given(strategies.records(sound))
    def check(record):
        check_remembered(memo, json.loads(json.dumps(record)))

    check()
