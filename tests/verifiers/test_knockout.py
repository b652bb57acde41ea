import pytest
from noise_search.verifiers.knockout import knockout


def by_strength(strengths, met=None):
    def better(pairs):
        if met is not None:
            met.append(list(pairs))
        return [0.5 if strengths[a] == strengths[b] else float(strengths[a] > strengths[b]) for a, b in pairs]

    return better


@pytest.mark.parametrize("count", range(1, 12))
def test_the_strongest_wins_wherever_it_was_before(count):
    for best in range(count):
        strengths = [-index for index in range(count)]
        strengths[best] = 1
        order = knockout(count, by_strength(strengths))
        assert order[0] == best and sorted(order) == list(range(count))


@pytest.mark.parametrize("count", range(2, 12))
def test_there_is_one_comparison_less_than_entrants(count):
    met = []
    knockout(count, by_strength([1] * count, met))
    assert sum(map(len, met)) == count - 1


def test_undecided_matches_change_nothing():
    assert knockout(7, by_strength([1] * 7)) == list(range(7))


def test_the_best_meets_the_worst_and_waits_when_the_number_is_odd():
    met = []
    knockout(5, by_strength([5, 4, 3, 2, 1], met))
    assert met == [[(1, 4), (2, 3)], [(1, 2)], [(0, 1)]]


def test_who_goes_out_later_stands_higher():
    assert knockout(4, by_strength([1, 2, 3, 4])) == [3, 2, 0, 1]


def test_nobody_and_one_need_no_comparison():
    assert knockout(0, by_strength([])) == [] and knockout(1, by_strength([1])) == [0]


def test_a_missing_answer_is_an_error():
    with pytest.raises(ValueError, match="one chance per pair, 2, got 1"):
        knockout(4, lambda pairs: [1.0])
