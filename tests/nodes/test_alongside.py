"""A judge on another machine, or on the processor beside a card, judges while the next pictures are sampled. It changes
nothing but the time.
"""

import threading
import time

import pytest
import torch
from noise_search.tests.nodes.graphs import Brightness, kept, run, searched
from noise_search.tests.nodes.test_path_nodes import searched as walking
from noise_search.tests.nodes.test_tiles import TILES, looking, previews, slow  # noqa: F401 (fixtures)
from noise_search.tests.nodes.test_vlm import by_brightness, vlm
from noise_search.tests.nodes.test_whose_run import until
from noise_search.tests.verifiers.fake_server import serving
from noise_search.verifiers.abilities import is_apart
from noise_search.verifiers.ensemble import Ensemble
from noise_search.verifiers.focus import Adjusted
from noise_search.verifiers.technical import Technical, TechnicalQuality

PATIENCE = 10  # seconds after which what does not happen meanwhile counts as not happening
CPU, CARD = torch.device("cpu"), torch.device("cuda")


class Distant(Brightness):
    """Judges by brightness, on another machine. It answers once the next pictures are being made, where there are any.

    Args:
        rounds: How many there will be.
        when: Called in its thread at each round, with the number of it, from 0.
    """

    def __init__(self, rounds, when=lambda number: None):
        self.rounds, self.when = rounds, when
        self.begun, self.number, self.met, self.threads = threading.Semaphore(0), 0, 0, set()

    def apart(self, device):
        return True

    def measure(self, images, prompt):
        number, self.number = self.number, self.number + 1
        self.threads.add(threading.current_thread())
        if number < self.rounds - 1:
            self.met += self.begun.acquire(timeout=PATIENCE)
        self.when(number)
        return super().measure(images, prompt)


@pytest.fixture
def making(host, judge, monkeypatch):
    """`making(judge)`: it learns when pictures are made beside it. `making.made`: how many, round by round."""
    evaluator, put = host.part("nodes.host.engine.evaluator").LocalEvaluator, judge
    before = evaluator.make

    def make(self, proposed):
        made.append(len(proposed))
        if judges and threading.current_thread() is worker[0] and len(made) > 1:
            judges[-1].begun.release()
        then[0]()
        return before(self, proposed)

    def follow(judge, also=lambda: None):
        made.clear()
        judges.append(judge)
        then[0] = also
        return put(judge)

    made, judges, then, worker = [], [], [lambda: None], [host.call(threading.current_thread)]
    monkeypatch.setattr(evaluator, "make", make)
    follow.made = made
    return follow


def found(trace):
    trials = [(trial.candidate, trial.values, trial.how, trial.nfe) for trial in trace.trials]
    return trials, trace.scores, trace.stopped, trace.result


GRAPHS = {
    "seeds": searched(seed=31),
    "neighbors": searched("ZeroOrderSearch", seed=31),
    **{kind: walking(kind, seed=31) for kind in ("AutoSearch", "DraftSearch", "PathSearch", "SteeredSearch")},
}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_next_pictures_are_sampled_while_a_distant_judge_judges_and_all_is_as_without(
    host, store_off, judge, making, graph
):
    graph["s"]["inputs"]["batch_size"] = 2
    expected = run(host, graph, judge(Brightness()), kept("2"))
    distant = Distant(3 if graph is GRAPHS["seeds"] else 1)
    again = run(host, graph, making(distant), kept("2"))
    assert found(again.trace) == found(expected.trace)
    assert torch.equal(again.image, expected.image) and again.recipe == expected.recipe
    assert distant.met == distant.rounds - 1, "it had to answer before anything else was made"
    assert distant.threads - {host.call(threading.current_thread)}, "nothing was made beside it"
    assert sum(making.made) == len(expected.trace.trials)


def test_an_interrupt_that_the_judge_hears_ends_the_sampling_as_well_and_the_next_run_is_free(
    host,
    judge,
    making,
    stored,
    slow,  # noqa: F811
):
    import comfy.model_management as memory

    def heard(number):
        memory.interrupt_current_processing()
        memory.throw_exception_if_processing_interrupted()

    result = host.run(searched(seed=32, pictures=40) | making(Distant(9, heard)) | kept("2"))
    assert result.error == "interrupted" and making.made == [2, 2] and stored() == 2
    assert not memory.interrupt_processing
    assert host.run(searched(seed=32) | judge(Brightness()) | kept("2")).ok


def test_an_interrupt_that_the_sampler_hears_ends_a_judge_that_waits_for_an_answer(host, making):
    import comfy.model_management as memory

    def waits(number):
        for _ in range(100 * PATIENCE):
            memory.throw_exception_if_processing_interrupted()
            time.sleep(0.01)

    def cancel():
        if len(making.made) == 2 and until(lambda: judge.number):
            raise memory.InterruptProcessingException

    began, judge = time.monotonic(), Distant(9, waits)
    result = host.run(searched(seed=33, pictures=40) | making(judge, cancel) | kept("2"))
    assert result.error == "interrupted" and time.monotonic() - began < PATIENCE
    assert not memory.interrupt_processing


def test_an_error_of_the_judge_is_told_and_what_was_made_beside_it_is_kept(host, making, stored):
    def fails(number):
        if number == 1:
            raise ValueError("the line is dead")

    graph = searched(seed=34) | kept("2")
    result = host.run(graph | making(Distant(3, fails)), workflow={"id": "dead"})
    assert "brightness failed: the line is dead" in result.error and making.made == [2, 2, 2]
    sampled = stored()
    assert sampled == 6, "all that was sampled is in the store"


@pytest.fixture
def stored(host, monkeypatch):
    """How many pictures the store was given since the test began."""
    memo, count = host.part("nodes.host.store.memo").Memo, [0]
    before = memo.keep_sampled

    def keep(self, proposed, states, nfe):
        count[0] += len(proposed)
        before(self, proposed, states, nfe)

    monkeypatch.setattr(memo, "keep_sampled", keep)
    return lambda: count[0]


def test_sampling_that_fails_ahead_is_told_after_the_pictures_that_were_being_judged(host, making):
    def fails():
        if len(making.made) == 2:
            raise RuntimeError("the card is gone")

    result = host.run(searched(seed=35) | making(Distant(3), fails) | kept("2"), workflow={"id": "gone"})
    assert "the card is gone" in result.error
    searches = host.part("nodes.host.page.searches")
    (shown_search,) = [one for one in searches._known.values() if one.workflow == "gone"]
    assert len(shown_search.rows) == 2, "what was judged is in the panel"


def test_a_target_ends_it_where_it_would_and_what_was_made_ahead_is_not_judged(host, judge, making):
    plain = run(host, searched(seed=36, pictures=12), judge(Brightness()), kept("2", "trace")).trace
    target = sorted(plain.scores)[-3]
    ends = {"target": str(target)}
    expected = run(host, searched(seed=36, pictures=12, **ends), judge(Brightness()), kept("2"))
    distant = Distant(99)
    again = run(host, searched(seed=36, pictures=12, **ends), making(distant), kept("2"))
    assert expected.trace.stopped == "target" and found(again.trace) == found(expected.trace)
    assert distant.number == len(expected.trace.trials) / 2


def test_who_finishes_while_something_is_made_ahead_keeps_what_was_being_judged(host, making):
    searches = host.part("nodes.host.page.searches")

    def finish():
        if len(making.made) == 3:
            (one,) = [one for one in searches._known.values() if one.workflow == "finished ahead"]
            one.steer("finish")

    graph = searched(seed=37, pictures=40) | making(Distant(99), finish) | kept("2")
    result = host.run(graph, workflow={"id": "finished ahead"})
    assert result.ok, result.error
    (trace,) = result.kept["trace"]
    assert trace.stopped == "you" and len(trace.trials) == 4


def test_two_rounds_of_large_pictures_are_not_held_at_once(host, making, monkeypatch):
    monkeypatch.setattr(host.part("nodes.host.engine.evaluator"), "picture_bytes", lambda sampling: 2**28)
    judge = Distant(1)
    run(host, searched(seed=38), making(judge), kept("2", "trace"))
    assert judge.number == 3 and judge.threads == {host.call(threading.current_thread)}


def test_a_page_is_told_what_is_sampled_and_what_is_judged_beside_it(host, making, looking):  # noqa: F811
    graph = searched(seed=39) | making(Distant(3)) | kept("2", "trace")
    result = host.run(graph, workflow={"id": "beside"})
    sent = [data for name, data in result.events if name == TILES]
    both = {(data["what"], data["first"], data["count"], data["judged"], tuple(data["rows"])) for data in sent}
    assert ("sampling", 0, 4, 2, (2, 3)) in both and ("sampling", 2, 4, 2, (4, 5)) in both
    assert ("judging", 4, 2, 0, (4, 5)) in both


def test_previews_of_what_was_made_ahead_are_there_when_its_round_begins(host, making, looking, slow, previews):  # noqa: F811
    graph = searched(seed=40, pictures=4) | making(Distant(2)) | kept("2", "trace")
    graph["s"]["inputs"]["steps"] = 30
    result = host.run(graph, workflow={"id": "carried"})
    sent = [data for name, data in result.events if name == TILES]
    begins = next(data for data in sent if data["first"] == 2)
    assert {tile["id"] for tile in begins["pictures"]} & {2, 3}


def test_a_vlm_behind_a_server_is_asked_while_the_next_pictures_are_sampled(host, making):
    with serving(by_brightness) as server:
        graph = searched(seed=41, prompt="a red cube") | vlm("v", base_url=server.url) | kept("2", "trace")
        threads = []
        evaluator = host.part("nodes.host.engine.evaluator").LocalEvaluator
        with pytest.MonkeyPatch.context() as patch:
            before = evaluator.judge
            patch.setattr(
                evaluator,
                "judge",
                lambda self, made: (threads.append(threading.current_thread()), before(self, made))[1],
            )
            run(host, graph)
        worker = host.call(threading.current_thread)
        assert [thread is worker for thread in threads] == [False, False, True]


def test_it_is_apart_where_all_of_it_leaves_the_card_alone(host):
    far, near = Distant(1), Brightness()
    assert is_apart(far, CPU) and not is_apart(near, CARD) and not is_apart(None, CARD)
    quality = TechnicalQuality()
    assert is_apart(Adjusted(quality, weight=2.0), CARD) and not is_apart(Adjusted(quality, weight=2.0), CPU)
    assert is_apart(Ensemble([quality, Technical("contrast")]), CARD)
    assert not is_apart(Ensemble([quality, Network()]), CARD)
    for judge in (quality, Technical("sharpness")):
        assert is_apart(judge, CARD) and not is_apart(judge, CPU)


@pytest.mark.parametrize(("device", "apart"), [("cpu", True), ("auto", False)])
def test_a_network_on_the_processor_is_apart_from_a_card_and_is_not_put_into_the_hosts_list(
    host, monkeypatch, device, apart
):
    import comfy.model_management as memory

    module = host.part("nodes.host.judges.host_verifier")
    loaded = []
    monkeypatch.setattr(memory, "get_torch_device", lambda: CARD)
    monkeypatch.setattr(memory, "should_use_fp16", lambda *arguments, **more: False)
    monkeypatch.setattr(memory, "load_models_gpu", lambda *arguments, **more: loaded.append(arguments))
    judge = module.HostVerifier(Network(), device)
    assert judge.apart(CARD) is apart and not judge.apart(CPU)
    judge.measure(torch.rand(3, 8, 8, 3), "")
    assert bool(loaded) is not apart


class Network(Brightness):
    """Judges with weights."""

    def __init__(self):
        self.modules = (torch.nn.Linear(1, 1),)
        self.card = TechnicalQuality.card
