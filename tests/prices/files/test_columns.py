"""Columns are recognised by name, in many languages and in many tools' spellings."""

import pytest

from forecast.prices.files.columns import meaning_of, read_columns


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("date", "Date Datum Data Fecha Tarih Дата 日期 <DATE> timestamp"),
        ("open", "Open Eröffnung Ouv. Apertura Abertura Otwarcie Açılış Откр. 1.open <OPEN> Open*"),
        ("high", "High Hoch Máxima Najwyższy Yüksek Макс."),
        ("low", "Low Tief Mínima Najniższy Düşük Мин."),
        ("close", "Close Close* Close/Last Schluss Zuletzt Dernier Último Zamknięcie Şimdi Цена Price 收盘"),
        ("adj_close", "Adj_Close AdjClose adjusted_close 5.adjustedclose closeadj"),
        ("volume", "Volume Vol. Volumen Wolumen Hac. Объём No.ofShares 成交量"),
    ],
)
def test_a_name_means_the_same_in_every_language(field, names):
    assert {meaning_of(name)[0] for name in names.split()} == {field}


@pytest.mark.parametrize("name", ["Change %", "Prev. Close", "SMA_20", "Turnover", "Market Cap", "VWAP", ""])
def test_other_columns_mean_nothing(name):
    assert meaning_of(name)[0] is None


def test_yahoos_footnoted_headers_are_understood():
    assert meaning_of("Close Close price adjusted for splits.")[0] == "close"
    footnote = "Adj Close Adjusted close price adjusted for splits and dividend and/or capital gain distributions."
    assert meaning_of(footnote)[0] == "adj_close"


@pytest.mark.parametrize("name", ["TSLA.Close", "Close_TSLA", "('Close', 'TSLA')", "TSLA Close", "Close|TSLA"])
def test_a_ticker_in_a_columns_name_becomes_its_label(name):
    column = read_columns([["Date", name]])[1]
    assert (column.field, column.label) == ("close", "TSLA")


def test_a_ticker_with_its_own_hyphen_stays_whole():
    column = read_columns([["Date", "BRK-B.Close"]])[1]
    assert (column.field, column.label) == ("close", "BRK-B")
