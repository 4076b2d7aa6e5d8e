"""Dates: day and month are told apart by the whole column, or not at all."""

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.prices.files.dates import is_date, sessions_from_cells

NEW_YORK, TOKYO = "America/New_York", "Asia/Tokyo"


def sessions(*cells: str, timezone: str = NEW_YORK) -> list[str]:
    lines = list(range(2, 2 + len(cells)))
    return sessions_from_cells(list(cells), lines, timezone, "file.csv").astype(str).tolist()


def test_one_day_past_the_twelfth_decides_the_whole_column():
    assert sessions("01/02/2024", "01/31/2024") == ["2024-01-02", "2024-01-31"]
    assert sessions("01/02/2024", "31/01/2024") == ["2024-02-01", "2024-01-31"]


def test_the_only_order_that_runs_one_way_decides():
    assert sessions("30/11/2023", "01/12/2023")[1] == "2023-12-01"
    # Month first: 12 Mar, 1 Apr, 2 Apr. Day first: 3 Dec, 4 Jan, 4 Feb, which turns back.
    assert sessions("03/12/2019", "04/01/2019", "04/02/2019") == ["2019-03-12", "2019-04-01", "2019-04-02"]


def test_dates_that_may_be_either_are_refused():
    with pytest.raises(DataError, match=r"line 2: '01/02/2024' may be dd-mm-yyyy or mm-dd-yyyy"):
        sessions("01/02/2024", "01/03/2024", "01/04/2024")


def test_dates_that_can_be_neither_are_refused_with_the_line():
    with pytest.raises(DataError, match=r"line 3: '31/31/2024' is not a date like the others"):
        sessions("01/02/2024", "31/31/2024")


def test_same_day_and_month_needs_no_decision():
    assert sessions("05/05/2023") == ["2023-05-05"]


def test_short_years_stand_where_the_column_says():
    assert sessions("28-Mar-24", "1-Apr-24") == ["2024-03-28", "2024-04-01"]
    assert sessions("99-12-30", "99-12-31") == ["1999-12-30", "1999-12-31"]


def test_a_stamp_with_an_offset_is_a_day_at_that_offset():
    assert sessions("2024-01-04 00:00:00+09:00", timezone=TOKYO) == ["2024-01-04"]
    assert sessions("2024-01-04T23:30:00-05:00") == ["2024-01-04"]


def test_instants_in_utc_are_days_at_the_exchange():
    assert sessions("2024-01-03 15:00:00+00:00", timezone=TOKYO) == ["2024-01-04"]
    assert sessions("2024-01-04T05:00:00Z") == ["2024-01-04"]
    assert sessions("1704378600", "1704465000") == ["2024-01-04", "2024-01-05"]  # 9:30 in New York


def test_midnights_in_utc_are_plain_dates():
    assert sessions("2024-01-04 00:00:00+00:00", "2024-01-05 00:00:00+00:00") == ["2024-01-04", "2024-01-05"]


def test_a_spreadsheets_day_numbers_are_dates():
    assert sessions("45294", "45295") == ["2024-01-03", "2024-01-04"]


def test_cells_of_another_kind_are_no_dates():
    assert sessions("2024-01-03", "2024-01-04", "Total", "2024-02-30") == [
        "2024-01-03", "2024-01-04", "NaT", "NaT"
    ]  # fmt: skip


def test_words_and_prices_are_not_taken_for_dates():
    assert not any(map(is_date, ("Close", "1.5", "12", "1,234", "Mon", "", "Jan", "-", "12345678901")))
    assert all(map(is_date, ("2024-01-04", "Jan 4, 2024", "04.01.2024", "20240104", "Thu, 4 Jan 2024")))


def test_many_formats_agree_on_a_day():
    day = np.datetime64("2024-10-25", "D")
    spelled = ("2024-10-25", "2024/10/25", "2024.10.25", "25.10.2024", "10/25/2024", "25 Oct 2024", "October 25, 2024", "2024年10月25日")
    assert {sessions(cell)[0] for cell in spelled} == {str(day)}
