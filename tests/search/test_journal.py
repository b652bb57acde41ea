"""What was paid for stays: the memo on disk, torn, damaged, full or of something else."""

import os

import pytest

from noise_search.search.journal import Journal, JournalFull

RECORDS = [{"kind": "values", "key": name, "values": [number / 7]} for number, name in enumerate("abc")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "journal"


@pytest.fixture
def written(path):
    journal = Journal(path, "one")
    for record in RECORDS:
        journal.add([record])
    journal.close()
    return path


def values(journal: Journal) -> dict[str, list[float]]:
    return {key: journal.get("values", key)["values"] for key in journal.keys("values")}


WHOLE = {"a": [0.0], "b": [1 / 7], "c": [2 / 7]}


def test_what_was_written_is_there_again_exactly(written):
    assert values(Journal(written, "one")) == WHOLE


def test_a_journal_of_something_else_is_never_used(written):
    assert values(Journal(written, "another")) == {}


def test_a_later_record_takes_the_place_of_an_earlier_one(written):
    journal = Journal(written, "one")
    journal.add([{"kind": "values", "key": "a", "values": [5.0]}])
    assert values(journal)["a"] == values(Journal(written, "one"))["a"] == [5.0]


def test_kinds_do_not_mix(written):
    journal = Journal(written, "one")
    assert ("values", "a") in journal and ("state", "a") not in journal and journal.get("state", "a") is None


def test_a_file_cut_anywhere_keeps_every_whole_record_and_goes_on(written):
    data = written.read_bytes()
    ends = [place for place, byte in enumerate(data) if byte == 10]
    for length in range(len(data) + 1):
        written.write_bytes(data[:length])
        whole = sum(end <= length for end in ends) - 1  # the first line says what it is of
        journal = Journal(written, "one")
        assert list(values(journal)) == list("abc")[: max(0, whole)]
        journal.add([{"kind": "values", "key": "new", "values": [9.0]}])
        journal.close()
        assert values(Journal(written, "one")) == {**dict(list(WHOLE.items())[: max(0, whole)]), "new": [9.0]}


@pytest.mark.parametrize("change", [lambda byte: byte ^ 1, lambda byte: 0, lambda byte: 10])
def test_a_byte_changed_anywhere_costs_its_own_record_only(written, change):
    data = written.read_bytes()
    first = data.index(b"\n") + 1
    for place in range(first, len(data)):
        if change(data[place]) == data[place]:
            continue
        written.write_bytes(data[:place] + bytes([change(data[place])]) + data[place + 1 :])
        found = values(Journal(written, "one"))
        assert found.items() <= WHOLE.items() and len(found) >= 1  # a lost line end costs both of its neighbours


def test_a_damaged_first_line_empties_it_rather_than_trusting_the_rest(written):
    data = written.read_bytes()
    written.write_bytes(b"x" + data[1:])
    assert values(Journal(written, "one")) == {}


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(path):
    journal = Journal(path, "one")
    journal.add(RECORDS)
    journal.close()
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    for length in range(first, len(data) - 1):
        path.write_bytes(data[:length])
        assert values(Journal(path, "one")) == {}
    path.write_bytes(data)
    assert values(Journal(path, "one")) == WHOLE


def test_a_record_that_was_damaged_while_open_is_not_believed(written):
    journal = Journal(written, "one")
    data = bytearray(written.read_bytes())
    data[-5] ^= 1
    written.write_bytes(data)
    assert journal.get("values", "c") is None and journal.get("values", "b") == {"values": [1 / 7]}


def test_it_never_grows_beyond_its_limit(path):
    journal = Journal(path, "one", limit=1000)
    with pytest.raises(JournalFull, match="1000 bytes"):
        for number in range(100):
            journal.add([{"kind": "values", "key": str(number), "values": [1.0]}])
    assert path.stat().st_size <= 1000 and len(values(Journal(path, "one"))) > 5


def test_a_full_disk_is_an_error_and_what_was_written_before_stays(written, monkeypatch):
    journal = Journal(written, "one")

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.add([{"kind": "values", "key": "d", "values": [1.0]}])
    assert ("values", "d") not in journal and values(journal) == WHOLE


def test_records_are_on_the_disk_before_it_goes_on(written, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(written.stat().st_size))
    Journal(written, "one").add(RECORDS)
    assert flushed == [written.stat().st_size]


def test_a_number_that_json_cannot_say_is_refused(path):
    with pytest.raises(ValueError, match="JSON"):
        Journal(path, "one").add([{"kind": "values", "key": "a", "values": [float("nan")]}])


def test_a_place_that_holds_another_record_by_now_is_not_believed(path):
    journal = Journal(path, "one")
    journal.add([{"kind": "values", "key": "a", "values": [1.0]}])
    data = path.read_bytes()
    other = Journal(path.with_name("other"), "one")
    other.add([{"kind": "values", "key": "b", "values": [2.0]}])
    path.write_bytes(other.path.read_bytes())
    assert len(data) == path.stat().st_size and journal.get("values", "a") is None
