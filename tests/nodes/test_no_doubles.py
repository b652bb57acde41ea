"""Judges on a card without 64-bit floats, as Apple's and Intel's are: numbers may be widened on the CPU only."""

import pytest
import torch
from noise_search.tests.card import CARDS, DEVICE, Card
from noise_search.tests.nodes.test_load_verifier import CHECKPOINTS, PROMPT, loaded
from noise_search.tests.verifiers.tiny_vlm import write_vlm
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
