"""Strangers' recipes, stores and requests: a few hundred of each here, 100,000 in `python dev.py bench reliability`."""

from hypothesis import HealthCheck, given, settings

from . import strategies
from .properties import check_recipe, check_remembered, check_same_candidate, check_store, sound_store

few = settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@few
@given(strategies.walks(), strategies.settings_of_a_setup)
def test_whatever_can_be_searched_comes_back_from_its_recipe(proposed, found_with):
    check_same_candidate(proposed, found_with)


@few
@given(strategies.recipe_texts)
def test_any_text_is_a_recipe_that_comes_back_or_is_refused_in_a_few_words(text):
    check_recipe(text)


def test_a_damaged_store_gives_back_only_what_was_written(host, tmp_path):
    store, path = host.part("nodes.host.store.records"), tmp_path / "one" / "x.sqlite3"
    path.parent.mkdir()
    sound = sound_store(path, store)
    assert check_store(path, store, sound) == 12

    @few
    @given(strategies.changed_bytes(sound))
    def check(data):
        check_store(path, store, data)

    check()


def test_a_strangers_record_of_a_picture_is_one_finite_latent_or_nothing(host):
    import torch

    memo, store = (host.part(f"nodes.host.{name}") for name in ("store.memo", "store.records"))
    sound = vars(memo.record(0.0, 1, {"x0.0": torch.ones(1, 16, 8, 8)}, 4))
    assert check_remembered(memo, store, sound)

    @few
    @given(strategies.records(sound))
    def check(record):
        check_remembered(memo, store, record)

    check()
