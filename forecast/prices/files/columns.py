"""What the columns of a price file mean, by the names that people and their languages give them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Names without case, accents, spaces and punctuation; an earlier one is preferred to a later one.
_NAMES = {
    "date": (
        "date datum data fecha tarih дата 日期 日付 日付け 날짜 day tradedate tradingday tradingdate "
        "pricedate observationdate datetime dateutc gmttime timestamp localtime timeopen opentime "
        "unix unixtimestamp time t"
    ),
    "open": (
        "open openprice opening openingprice eroffnung eroffnungskurs eroffn erster ouverture ouv "
        "apertura abertura otwarcie opening laatsteopen acilis откр открытие 开盘 开盘价 始値 시가 "
        "oppning apen o"
    ),
    "high": (
        "high highprice hoch hochst hochstkurs tageshoch haut plushaut maximo max maxima massimo "
        "najwyzszy hoog yuksek макс максимум 最高 最高价 高 高値 고가 hogst h"
    ),
    "low": (
        "low lowprice tief tiefst tiefstkurs tagestief bas plusbas minimo min minima minimo "
        "najnizszy laag dusuk мин минимум 最低 最低价 低 安値 저가 lagst l"
    ),
    "close": (
        "close closeprice closelast closing closingprice schluss schlusskurs cloture cierre "
        "fechamento chiusura zamkniecie slotkoers kapanis закрытие закр 收盘 收盘价 終値 종가 "
        "stangning last lastprice zuletzt dernier ultimo laatste simdi price preis kurs prix precio "
        "prezzo preco cena цена senaste nav value settle settlement c"
    ),
    "adj_close": (
        "adjclose adjustedclose adjustedcloseprice closeadj closeadjusted adjusted adjcloseprice "
        "adjprice bereinigterschlusskurs"
    ),
    "volume": (
        "volume sharevolume sharestraded noofshares totaltradequantity totaltradedquantity "
        "ttltrdqnty stuecke stucke wolumen volumen volumes vol hacim hac объем 成交量 交易量 出来高 "
        "거래량 tickvol v"
    ),
    "dividends": "dividends dividend dividendamount divcash exdividend",
    "splits": "stocksplits splits split splitfactor splitratio splitcoefficient",
    "symbol": "symbol symbols ticker tickers tic stock stockname name code instrument security isin",
}
_MEANINGS = {
    name: (field, rank)
    for field, names in _NAMES.items()
    for rank, name in reversed(list(enumerate(names.split())))
}
_LABELLED = ("open", "high", "low", "close", "adj_close", "volume")
_NO_LABELS = ("prev", "previous", "pre", "change", "sma", "ema", "avg", "average", "mean", "adj")


@dataclass(frozen=True)
class Column:
    """One column of a file: what it means, and for which ticker if its name says so.

    Args:
        index: position in a row, from 0.
        name: its header as written, for messages.
        field: "date", "open", ..., "symbol"; None where the name is not known.
        rank: 0 for the best name of a field; larger ones give way.
        label: the ticker in its name; "" where there is none.
    """

    index: int
    name: str
    field: str | None
    rank: int
    label: str


def read_columns(header: list[list[str]]) -> list[Column]:
    """The columns that one or several header rows describe.

    A two-level header gives each column a field in one row and a ticker in another:

        Price   Close  High   Open         field
        Ticker  TSLA   TSLA   TSLA         label
        Date
    """
    width = max(len(cells) for cells in header)
    return [_read_column(i, [cells[i] for cells in header if i < len(cells)]) for i in range(width)]


def meaning_of(name: str) -> tuple[str | None, int]:
    """The field that a column's name stands for, and the rank of that name; (None, 0) if unknown."""
    plain = _plain(name)
    # "Close*", "1. open" and Yahoo's "Close Close price adjusted for splits."
    words = ("adjclose", "close") if "adjustedforsplits" in plain else ()
    plain = next((word for word in words if plain.startswith(word)), plain)
    return _MEANINGS.get(plain) or _MEANINGS.get(plain.lstrip("0123456789")) or (None, 0)


def _read_column(index: int, cells: list[str]) -> Column:
    """One column from its header cells, top to bottom."""
    cells = [cell for cell in cells if cell]
    name = " ".join(cells)
    known = [(meaning_of(cell), cell) for cell in cells]
    fields = [meaning for meaning, _ in known if meaning[0] is not None]
    labels = [cell for meaning, cell in known if meaning[0] is None]
    dates = [meaning for meaning in fields if meaning[0] == "date"]
    if dates:  # below "Price" and "Ticker" stands "Date", and it is right
        return Column(index, name, *dates[-1], "")
    if fields:
        return Column(index, name, *fields[0], labels[0] if labels else "")
    if len(labels) == 1:
        return _split_label(index, labels[0])
    return Column(index, name, None, 0, "")


def _split_label(index: int, name: str) -> Column:
    """A column whose one name holds a ticker and a field: TSLA.Open, Close_TSLA, ('Close', 'TSLA')."""
    inner = name.strip("()").replace("'", "").replace('"', "")
    for separator in re.finditer(r"[ ._|,:-]+", inner):
        left, right = inner[: separator.start()], inner[separator.end() :]
        for field, label in ((left, right), (right, left)):
            meaning, rank = meaning_of(field)
            if meaning in _LABELLED and _plain(label) not in _NO_LABELS:
                return Column(index, name, meaning, rank, label)
    return Column(index, name, None, 0, name)


def _plain(name: str) -> str:
    """A name without case, accents and anything that is neither letter nor digit."""
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l").replace("ı", "i"))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return "".join(letter for letter in unicodedata.normalize("NFC", letters) if letter.isalnum())
