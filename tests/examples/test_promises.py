"""What the README promises, on a running server with the bundled tiny model."""

import struct

import numpy as np
import pytest
from noise_search.tests.examples.graphs import (
    OUTPUTS,
    custom_sampler,
    executed,
    found,
    ksampler,
    pictures,
    run,
    run_anew,
    search,
)

SEARCHES = ["RandomSearch", "ZeroOrderSearch"]
PREVIEW = 1  # kind of the host's binary events


def test_a_winner_of_random_search_typed_as_a_seed_into_the_stock_ksampler_gives_the_same_picture(client):
    result = run(client, search(seed=101, batch_size=1))
    stock = run(client, ksampler(int(found(result)["seed"])))
    np.testing.assert_array_equal(pictures(client, stock, "stock"), pictures(client, result, "winners"))


def test_the_seed_output_drives_a_stock_ksampler_in_the_same_workflow(client):
    result = run(client, {**search(seed=102, batch_size=1), **ksampler(["search", OUTPUTS["seed"]])})
    np.testing.assert_array_equal(pictures(client, result, "stock"), pictures(client, result, "winners"))


@pytest.mark.parametrize("kind", SEARCHES)
def test_the_winners_noise_through_the_stock_sampler_gives_the_same_picture(client, kind):
    result = run(client, {**search(kind, seed=103, batch_size=1), **custom_sampler(["search", OUTPUTS["NOISE"]])})
    np.testing.assert_array_equal(pictures(client, result, "stock"), pictures(client, result, "winners"))


@pytest.mark.parametrize("kind", SEARCHES)
def test_all_kept_noises_in_one_stock_batch_give_their_pictures_up_to_rounding(client, kind):
    graph = search(kind, seed=104, pictures=8, keep=8)
    result = run(client, {**graph, **custom_sampler(["search", OUTPUTS["NOISE"]], batch=8)})
    stock, winners = pictures(client, result, "stock"), pictures(client, result, "winners")
    assert winners.shape[0] == 8
    # of 255: rows of a batch differ from each other's batches in the last bits
    assert np.abs(stock - winners).max() <= 1


@pytest.mark.parametrize("kind", SEARCHES)
def test_the_recipe_in_the_recipe_input_gives_the_same_picture_and_recipe(client, kind):
    graph = search(kind, seed=105, batch_size=1)
    result = run(client, graph)
    graph["search"]["inputs"]["recipe"] = found(result)["recipe"]
    again = run(client, graph)
    assert found(again)["recipe"] == found(result)["recipe"]
    assert found(again)["pictures"] == 1
    np.testing.assert_array_equal(pictures(client, again, "winners"), pictures(client, result, "winners"))


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_noise_from_a_recipe_gives_the_same_picture(client, kind):
    result = run(client, search(kind, seed=105, batch_size=1))
    restored = {"class_type": "NoiseFromRecipe", "inputs": {"recipe": found(result)["recipe"]}}
    graph = {**search(), "restored": restored, **custom_sampler(["restored", 0])}
    del graph["winners"], graph["search"], graph["setup"]
    again = run(client, graph)
    np.testing.assert_array_equal(pictures(client, again, "stock"), pictures(client, result, "winners"))


@pytest.mark.parametrize("kind", SEARCHES)
def test_the_same_search_twice_gives_the_same_recipe_and_picture(client, kind):
    graph = search(kind, seed=106)
    first, again = run(client, graph), run_anew(client, graph)
    assert found(again)["recipe"] == found(first)["recipe"]
    np.testing.assert_array_equal(pictures(client, again, "winners"), pictures(client, first, "winners"))


@pytest.mark.parametrize("kind", SEARCHES)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_another_batch_size_finds_the_same_winner(client, kind, batch_size):
    usual = run(client, search(kind, seed=107))
    other = run(client, search(kind, seed=107, batch_size=batch_size))
    assert found(other)["recipe"] == found(usual)["recipe"]
    assert np.abs(pictures(client, other, "winners") - pictures(client, usual, "winners")).max() <= 1


def test_an_interrupt_ends_the_search_within_two_steps_and_the_server_goes_on(client):
    steps, at = 50, []

    def interrupt(name, data):
        state = data.get("nodes", {}).get("search", {}) if name == "progress_state" else {}
        if state.get("value", 0) > 0:
            at.append(state["value"])
            if len(at) == 3:
                client.request("/interrupt", {})

    result = client.run(search(side=128, steps=steps, batch_size=4, seed=108, pictures=400), on_event=interrupt)
    assert result.error == "interrupted"
    assert (at[-1] - at[2]) / (4 * 100 / (steps + 1)) <= 2.1
    assert run(client, search(seed=109, pictures=2)).outputs["winners"]


def test_one_bar_grows_over_the_whole_search_with_previews_and_the_time_left(client):
    # long enough for the host's ten updates a second
    result = run(client, search("ZeroOrderSearch", seed=110, batch_size=2, steps=40))
    states = [data["nodes"]["search"] for data in result.named("progress_state") if "search" in data["nodes"]]
    values = [state["value"] for state in states if state["state"] == "running"]
    assert values == sorted(values) and values[-1] == 800
    assert any(value % 200 for value in values)  # it moves within a round of two pictures, too
    assert {state["max"] for state in states if state["state"] == "running"} - {1.0} == {800}
    binary = [data["bytes"] for data in result.named("binary")]
    assert any(kind(message) == PREVIEW for message in binary)
    told = result.named("noise_search.update")
    assert any(update.get("seconds_left") for update in told)
    used = [update["used"] for update in told if update.get("candidates")]
    assert used == sorted(used) and used[-1] == 8
    assert told[-1]["status"] == "done" and told[-1]["seconds_left"] == 0


def test_better_pictures_are_saved_as_soon_as_they_are_found(client, server):
    folder, seen, judged = server.base / "output" / "noise_search", [], []

    def look(name, data):
        if name == "noise_search.update" and "candidates" in data:
            judged.append(len(list(folder.glob("found*.png"))))

    before = len(list(folder.glob("found*.png")))
    run(client, search(seed=111, batch_size=1, pictures=24, save_found=True), on_event=look)
    seen = len(list(folder.glob("found*.png"))) - before
    assert seen >= 2
    assert judged[1] - before < seen  # after the first round not yet all of them


def test_a_second_run_comes_from_the_cache(client):
    graph = search(seed=112)
    first = run(client, graph)
    second = run(client, graph)
    assert "winners" in second.named("execution_cached")[0]["nodes"]
    assert executed(first) > {"search"} and not executed(second) & set(graph)
    np.testing.assert_array_equal(pictures(client, second, "winners"), pictures(client, first, "winners"))


def test_a_search_without_a_verifier_shows_every_picture_and_passes_the_own_seed_on(client):
    graph = search(seed=113, pictures=4, batch_size=1)
    del graph["search"]["inputs"]["verifier"]
    result = run(client, graph)
    assert found(result)["seed"] == "113"
    assert len(result.outputs["search"]["images"]) == 4
    stock = run(client, ksampler(113))
    np.testing.assert_array_equal(pictures(client, stock, "stock"), pictures(client, result, "winners"))


def kind(message: bytes) -> int:
    return struct.unpack(">I", message[:4])[0]
