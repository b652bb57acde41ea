"""A card without 64-bit floats, as Apple's and Intel's are: numbers may be widened on the CPU only. With `--gpu-only`
pictures stay there, and what comes from files does not.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from noise_search.search.noise import fresh, materialize, mix
from noise_search.tests.card import CARDS, DEVICE, VARIABLE, Card
from noise_search.tests.nodes import card_searches
from noise_search.tests.nodes.graphs import Brightness
from noise_search.tests.nodes.test_load_verifier import CHECKPOINTS, PROMPT, loaded
from noise_search.tests.verifiers.tiny_vlm import write_vlm
from noise_search.verifiers.clips import measure_clips
from noise_search.verifiers.motion import QUANTITIES, Motion
from noise_search.verifiers.vlm import VlmScore
from noise_search.verifiers.vlm_local import LocalChat


def on_card(judge, pictures):
    """Values of a judge of the library whose weights lie on the card."""
    with Card(CARDS["no-doubles"]):
        for module in judge.modules:
            module.to(DEVICE)
        with torch.inference_mode():
            return judge.measure(pictures, PROMPT)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_judge_widens_nothing_on_the_card_and_says_the_same(host, folder, open_clip, name):
    write, choice, *_ = CHECKPOINTS[name]
    write(folder, open_clip)
    verifier = loaded(host, choice)
    pictures = torch.rand(2, 40, 56, 3, generator=torch.Generator().manual_seed(1))
    expected = host.call(lambda: verifier.measure(pictures, PROMPT))
    found = on_card(verifier.verifier, pictures.movedim(-1, 1))
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-5)


def test_the_yes_of_a_model_that_reads_and_sees_is_widened_on_the_cpu(tmp_path):
    write_vlm(tmp_path / "vlm")
    judge = VlmScore(LocalChat.load(tmp_path / "vlm"), "yes or no")
    pictures = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    expected = judge.measure(pictures, PROMPT)
    torch.testing.assert_close(on_card(judge, pictures).cpu(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("source", ["a file", "a node"])
def test_with_gpu_only_a_refined_part_is_pasted_into_a_picture(host, source):
    """A mask is painted in the page, so it never comes from the card."""
    region = host.part("nodes.host.setup.region").Region
    whole, box, soft = torch.zeros(1, 16, 16, 3), (4, 4, 12, 12), torch.ones(1, 16, 16)
    part = torch.ones(8, 8, 3)
    with Card(CARDS["gpu-only"]):
        found = region(whole.to(DEVICE) if source == "a node" else whole, box, soft).pasted(part.to(DEVICE)).cpu()
    assert torch.equal(found, region(whole, box, soft).pasted(part)) and found.sum() == 8 * 8 * 3


def test_with_gpu_only_different_winners_are_chosen_without_64_bit_floats(host):
    choose, pictures = host.part("search.selection").keep_different, host.part("nodes.host.files.pictures")
    images = list(torch.rand(6, 16, 16, 3, generator=torch.Generator().manual_seed(1)))
    scores = torch.arange(6.0)
    with Card(CARDS["gpu-only-no-doubles"]):
        apart = pictures.distances([pictures.look_of(image.to(DEVICE)) for image in images])
        found = choose(scores, apart, 3)
    assert found == choose(scores, pictures.distances([pictures.look_of(image) for image in images]), 3)


def test_a_noise_under_a_mask_of_the_card_is_mixed_on_the_cpu():
    mask, noises = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1)), [mix(fresh(1), 2, 0.5, "soft")]
    with Card(CARDS["gpu-only-no-doubles"]):
        (found,) = materialize(noises, [(4, 8, 8)], {"soft": (mask.to(DEVICE),)})
    assert torch.equal(found, materialize(noises, [(4, 8, 8)], {"soft": (mask,)})[0])


@pytest.mark.parametrize("judge", [Brightness(), *map(Motion, QUANTITIES)], ids=lambda judge: judge.card.name)
def test_with_gpu_only_videos_are_judged_without_64_bit_floats(judge):
    clip = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with Card(CARDS["gpu-only-no-doubles"]):
        found = measure_clips(judge, [clip.to(DEVICE)], "")
    assert torch.equal(found, measure_clips(judge, [clip], ""))


def on_a_card(tmp_path, card):
    """What whole searches find in a process of its own, where the host has a card from its start."""
    base, environment = tmp_path / "card", {**os.environ, VARIABLE: card}
    command = [sys.executable, "-m", "pytest", "-q", f"--basetemp={base}", card_searches.__file__]
    root = Path(card_searches.__file__).parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-4000:]
    return json.loads((base / card_searches.FOUND).read_text())


@pytest.mark.skipif(
    os.environ.get(VARIABLE) == "half", reason="what this process computes in 16 bits is another search"
)
def test_whole_searches_with_gpu_only_and_without_64_bit_floats_find_what_the_cpu_finds(
    host, judge, folder, open_clip, tmp_path
):
    found = on_a_card(tmp_path, "gpu-only-no-doubles")
    expected = card_searches.results(host, judge, folder, open_clip)
    assert set(found) == set(expected)
    for name, one in expected.items():
        assert found[name]["recipe"] == one["recipe"], name
        for kind in ("values", "pictures"):
            there, here = torch.tensor(found[name][kind]), torch.tensor(one[kind])
            torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-5, msg=f"{name}: {kind}")
