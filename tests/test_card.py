"""The stand-in for a graphics card refuses what a real one refuses, and nothing else."""

import pytest
import torch
from noise_search import dev
from noise_search.tests.card import CARDS, DEVICE, VARIABLE, Card, Generator, Kind, OnCard, rounding


@pytest.fixture
def card():
    with Card(CARDS["no-doubles"]):
        yield


def test_dev_knows_every_card():
    assert set(CARDS) == set(dev.CARDS)


@pytest.mark.parametrize("name", [*CARDS, ""])
def test_only_the_card_in_16_bits_has_tolerances_of_its_own(monkeypatch, name):
    monkeypatch.setenv(VARIABLE, name)
    half = name == "half"
    assert rounding(1e-5) == (5 * 2**-10 if half else 1e-5) and rounding(0.1) == 0.1
    assert rounding(1e-4, 100) == (500 * 2**-10 if half else 1e-4)
    assert rounding(1e-4, dtype=torch.bfloat16) == (5 * 2**-7 if half else 1e-4)
    assert rounding(1e-4, dtype=torch.float32) == 1e-4


def test_what_is_moved_there_is_there_and_comes_back_the_same(card):
    values = torch.arange(6.0)
    there = values.to(DEVICE)
    assert isinstance(there, OnCard) and there.device == DEVICE and not there.is_cpu
    assert torch.equal(there.cpu(), values) and there.cpu().device.type == "cpu"
    assert there.tolist() == values.tolist()


def test_another_device_is_another_memory(card):
    values = torch.zeros(3)
    values.to(DEVICE).fill_(1.0)
    assert values.tolist() == [0, 0, 0]
    there = values.to(DEVICE)
    there.cpu().fill_(2.0)
    assert there.tolist() == [0, 0, 0]


def test_results_of_operations_stay_there(card):
    there = torch.ones(2, 3, device=DEVICE)
    results = [there + 1, there.mean(), there @ there.T, there[0], torch.cat([there, there]), *there.split(1)]
    assert all(isinstance(result, OnCard) for result in results)
    assert isinstance(there.max(dim=1).values, OnCard)  # a tuple with names
    assert isinstance(torch.nn.functional.softmax(there, dim=1), OnCard)


def test_two_devices_do_not_mix(card):
    here, there = torch.ones(3), torch.ones(3, device=DEVICE)
    for mixed in (
        lambda: here + there,
        lambda: torch.where(there > 0, here, there),
        lambda: torch.cat([here, there]),
        lambda: torch.nn.functional.linear(there, torch.ones(2, 3)),
        lambda: here[there.long()],
        lambda: there.index_select(0, torch.tensor([0, 1])),
    ):
        with pytest.raises(RuntimeError, match=r"same device|on the CPU"):
            mixed()


def test_a_single_number_may_come_from_the_cpu(card):
    assert (torch.ones(3, device=DEVICE) * torch.tensor(2.0)).tolist() == [2, 2, 2]


def test_copying_crosses_devices(card):
    here, there = torch.zeros(3), torch.ones(3, device=DEVICE)
    here.copy_(there)
    assert here.tolist() == [1, 1, 1] and not isinstance(here, OnCard)
    there.copy_(torch.full((3,), 5.0))
    assert there.tolist() == [5, 5, 5] and isinstance(there, OnCard)


def test_numpy_takes_nothing_from_there(card):
    with pytest.raises(TypeError, match="numpy"):
        torch.ones(3, device=DEVICE).numpy()
    assert torch.ones(3, device=DEVICE).cpu().numpy().sum() == 3


@pytest.mark.parametrize(
    "widen",
    [
        lambda values: values.double(),
        lambda values: values.to(torch.float64),
        lambda values: values.sum(dtype=torch.float64),
        lambda values: torch.zeros(2, dtype=torch.float64, device=DEVICE),
        lambda values: torch.zeros(2, dtype=torch.float64).to(DEVICE),
    ],
)
def test_it_has_no_64_bit_floats_unless_the_kind_has(widen):
    with Card(Kind(doubles=False)), pytest.raises(TypeError, match="64-bit"):
        widen(torch.ones(2).to(DEVICE))
    with Card(Kind(doubles=True)):
        assert widen(torch.ones(2).to(DEVICE)).dtype == torch.float64


def test_random_numbers_there_need_a_generator_of_the_card(card):
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(3, device=DEVICE, generator=Generator().manual_seed(1))
    drawn = torch.randn(3, device=DEVICE, generator=Generator(DEVICE).manual_seed(1))
    assert torch.equal(drawn.cpu(), torch.randn(3, generator=Generator().manual_seed(1)))


def test_a_module_moves_with_its_weights(card):
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    expected = module(torch.ones(2, 4))
    module.to(DEVICE)
    assert {weight.device for weight in module.parameters()} == {DEVICE}
    with pytest.raises(RuntimeError, match="same device"):
        module(torch.ones(2, 4))
    assert torch.equal(module(torch.ones(2, 4).to(DEVICE)).cpu(), expected)
    assert {weight.device.type for weight in module.to("cpu").parameters()} == {"cpu"}


def test_products_of_16_bit_numbers_are_added_up_in_32_bits_and_rounded_once(card):
    row, column = torch.full((1, 4096), 1.5, dtype=torch.float16), torch.ones(4096, 1, dtype=torch.float16)
    column[::2] += 2**-10
    expected = (row.float() @ column.float()).half()
    for found in (
        row.to(DEVICE) @ column.to(DEVICE),
        torch.nn.functional.linear(row.to(DEVICE), column.T.to(DEVICE)),
        torch.einsum("nd,dk->nk", [row.to(DEVICE), column.to(DEVICE)]),
    ):
        assert isinstance(found, OnCard) and torch.equal(found.cpu(), expected)


def test_products_of_two_precisions_are_refused(card):
    with pytest.raises(RuntimeError, match="dtype"):
        torch.nn.functional.linear(torch.ones(1, 2).to(DEVICE), torch.ones(2, 2).half().to(DEVICE))


def test_what_it_changes_of_torch_is_as_before_behind_it():
    before = torch.__future__.get_overwrite_module_params_on_conversion(), torch.Event
    with Card(CARDS["half"]):
        assert torch.__future__.get_overwrite_module_params_on_conversion() and torch.Event is not before[1]
    assert (torch.__future__.get_overwrite_module_params_on_conversion(), torch.Event) == before
