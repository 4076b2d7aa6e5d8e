import numpy as np
import pytest

from forecast.prices import schedules
from forecast.prices.schedules import build_schedule, load_schedule


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "forecast" / "calendars"


def equal(a, b) -> bool:
    return np.array_equal(a.sessions, b.sessions) and np.array_equal(a.closes, b.closes)


def test_a_kept_schedule_is_the_built_one_and_is_not_built_again(cache, monkeypatch):
    built = build_schedule("XNYS", 2020)
    assert equal(load_schedule("XNYS", 2020), built)
    monkeypatch.setattr(schedules, "build_schedule", lambda *_: pytest.fail("built again"))
    assert equal(load_schedule("XNYS", 2020), built)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_a_damaged_cache_is_built_again(cache, content):
    built = load_schedule("XNYS", 2020)
    (path,) = cache.iterdir()
    path.write_bytes(content)
    assert equal(load_schedule("XNYS", 2020), built)


def test_columns_that_are_no_schedule_are_built_again(cache):
    built = load_schedule("XNYS", 2020)
    (path,) = cache.iterdir()
    for columns in (np.zeros((2, 5), np.int64), np.arange(6), np.zeros((2, 5))):
        np.save(path, columns)
        assert equal(load_schedule("XNYS", 2020), built)


def test_a_cache_that_cannot_be_written_is_done_without(cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert len(load_schedule("XNYS", 2020).sessions) > 1000


def test_a_calendar_that_is_not_there_is_kept_as_empty(cache):
    assert not len(load_schedule("XTAE", 2020).sessions) or len(load_schedule("XTAE", 2020).sessions) > 1000
