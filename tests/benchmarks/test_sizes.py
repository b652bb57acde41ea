"""The benchmark of real sizes: which cases there are, and what it says of its promises."""

from noise_search.bench.sizes import GOALS, OWN_MS, QUALITY, SIZES, Case, cases, goals, table


def test_no_two_cases_have_one_name_and_every_promise_has_its_case():
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
    assert {name for name, *_ in GOALS} <= set(names)
    assert {case.size for case in cases()} == set(SIZES)
    for size in OWN_MS:
        assert any(case.runs and case.size == size and case.verifier != "stock" for case in cases())


def test_the_stock_nodes_stand_beside_what_is_compared_with_them():
    names = [case.name for case in cases()]
    for name, _, beside, _ in GOALS:
        assert not beside or names.index(f"{name.split(', ')[0]}, memory, 2, stock") < names.index(name)
    (limited,) = [case for case in cases() if case.limited]
    assert names.index(Case(limited.size, 2, "stock").name) < names.index(limited.name)


def test_a_promise_that_is_missed_is_told_first():
    clip, own = Case("720p", 8, QUALITY), Case("1024²", 16, QUALITY, batch=4, runs=3)
    found = {
        Case("720p", 2, "stock").name: {"peak": 2.0},
        clip.name: {"peak": 3.4, "behind_alive": 1.05},
        own.name: {"own_ms": 26.0, "own_ms_runs": [25.0, 26.0, 30.0]},
    }
    told = goals(found)
    assert told[0] == f"MISSED: {own.name}: 26.00 of 25.00"
    assert f"holds: {clip.name}: 3.40 of 3.50" in told and f"holds: {clip.name}, alive behind: 1.05 of 1.14" in told
    found[clip.name]["peak"], found[clip.name]["behind_alive"] = 3.6, 1.2
    assert sum(line.startswith("MISSED") for line in goals(found)) == 3


def test_a_case_that_failed_is_a_promise_that_was_missed():
    limited = Case("720p", 8, QUALITY, limited=True)
    assert goals({limited.name: {"error": "out of memory"}}) == [f"MISSED: {limited.name}: out of memory"]
    assert goals({limited.name: {"peak": 3.0}}) == [f"holds: {limited.name}: a result"]
    assert "out of memory" in table({limited.name: {"error": "out of memory"}})[-1]


def test_the_table_gives_the_spread_of_what_was_timed():
    case = Case("1024²", 16, batch=4, runs=3)
    assert table({case.name: {"own_ms": 12.4, "clock_ms": 31.0, "own_ms_runs": [11.6, 12.4, 14.0]}})[-1] == (
        f"| {case.name} |  |  | 12 (12 to 14) | 31 |  |"
    )
