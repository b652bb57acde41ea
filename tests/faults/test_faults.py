"""Whatever fails, the artist is told what and what to do, what was paid for is kept, and the next run finds what it
would have found.
"""

import logging
import os
from pathlib import Path

import pytest

from .faults import Fault
from .table import FAULTS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


@pytest.fixture(scope="module")
def undisturbed(lab):
    """The result of a search that nothing happens to; each is run once, and remembers nothing."""
    found = {}

    def result(graph):
        name = repr(graph)
        if name not in found:
            found[name] = lab.run(lab.graph(**graph), "undisturbed")
        return found[name]

    return result


@pytest.fixture
def store(lab, store_off, monkeypatch, tmp_path):
    """Where the store will be, to be switched on when the undisturbed run is over."""
    import folder_paths

    monkeypatch.setattr(folder_paths, "user_directory", str(tmp_path))
    lab.model_file.write_bytes(b"weights")
    yield tmp_path / "noise_search" / "noise_search.sqlite3"
    lab.model_file.unlink()


def without_what_is_refused(fault: Fault) -> dict:
    """The graph as the artist has it after doing what the message says."""
    mended = {
        name: value for name, value in fault.graph.items() if name not in ("recipe", "noise", "verifier", "held_out")
    }
    return {**mended, "judge": "judge"} if mended.get("judge") == "reading" else mended


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_it_is_told_kept_and_mended(lab, undisturbed, store, fault, monkeypatch, tmp_path, caplog, request):
    mended, workflow = without_what_is_refused(fault), request.node.name[:100]
    expected, marks = undisturbed(mended), lab.marks()
    monkeypatch.setenv("NOISE_SEARCH_STORE", "1")
    with (
        pytest.MonkeyPatch.context() as patch,
        caplog.at_level(logging.WARNING, "noise_search"),
        fault.around(lab, patch, tmp_path),
        lab.troubled(fault.trouble(lab) if fault.trouble else None),
    ):
        found = lab.run(lab.graph(**fault.graph), workflow)

    said = f"{found.error}\n{found.text}\n{caplog.text}"
    assert fault.shows in said
    assert (not found.error) == (fault.ends == "done"), said
    panel = lab.panel()
    assert (panel.status if panel else "refused", len(panel.rows) if panel else 0) == (fault.ends, fault.kept)
    if fault.ends == "done":
        assert found.same_as(expected)
    assert lab.marks() == marks and lab.leftovers() == []

    if store.exists():
        fault.between(lab, store)
    again = lab.run(lab.graph(**mended), workflow)
    assert again.same_as(expected), again
    assert lab.paid == (fault.sampled, fault.judged)
    assert lab.marks() == marks


def test_there_are_at_least_forty_and_each_is_another():
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 40


def table() -> str:
    rows = ["| | Where | What happens | What is shown | What stays | The next run |", "|---|---|---|---|---|---|"]
    for number, fault in enumerate(FAULTS, 1):
        shown = f"“{escaped(fault.shows)}…”" if fault.shows else "nothing: it does no harm"
        rows.append(f"| {number} | {fault.where} | {fault.happens} | {shown} | {stays(fault)} | {onward(fault)} |")
    return "\n".join(rows)


def escaped(text: str) -> str:
    return text.replace("|", "\\|").strip()


def stays(fault: Fault) -> str:
    if fault.ends == "refused":
        return "all: nothing was sampled"
    candidates = f"{fault.kept} candidate{'s' * (fault.kept != 1)} in the panel"
    return (
        "the whole search"
        if fault.ends == "done"
        else f"{candidates}; the store{' as it was damaged' * (fault.where == 'store')}"
    )


def onward(fault: Fault) -> str:
    paid = f"samples {fault.sampled} and judges {fault.judged}" if fault.sampled + fault.judged else "pays for nothing"
    return f"{paid}; same result"


def test_the_page_of_faults_is_the_table_that_is_tested():
    """`NOISE_SEARCH_WRITE=1 python dev.py test tests/faults` writes it."""
    text = f"""# What happens when something fails

Each line is a test (`tests/faults`): a search for six pictures in groups of two is disturbed, looked at, and queued again. After every
one of them the host is as it was before (no hook, patch or model is left behind), and the next run finds what an undisturbed one finds;
it samples and judges only what the store does not hold.

{table()}

On a real server, as well: the browser goes away in the middle (the search goes on, its result is in the host's history); the host is killed
in the middle (queued again after the restart, the search pays for what was in flight and for nothing else, and finds the same); a page asks
a restarted host about searches of before (what was over is shown again; of the one that was cut off it is told that this server does not know it).
"""  # noqa: E501
    if os.environ.get("NOISE_SEARCH_WRITE"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, "docs/faults.md is not current"
