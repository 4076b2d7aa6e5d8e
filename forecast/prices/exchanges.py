"""Which exchange a ticker trades on: by what the source says of it, else by how it is written."""

from __future__ import annotations

import re
from typing import NamedTuple


class Exchange(NamedTuple):
    """An exchange and the marks by which Yahoo's answers and tickers are recognised.

    Args:
        calendar: its name in exchange_calendars, or "24/7", "24/5", "weekdays".
        timezone: IANA name.
        codes: Yahoo's `exchangeName`, separated by spaces.
        suffixes: what follows the dot in Yahoo's tickers, separated by spaces.
    """

    calendar: str
    timezone: str
    codes: str
    suffixes: str


_EXCHANGES = (
    Exchange(
        "XNYS", "America/New_York", "NMS NGM NCM NIM NAS NYQ NYS ASE PCX PNK OQB OQX BTS SNP DJI", ""
    ),
    Exchange("CMES", "America/New_York", "CME CBT CMX NYM NYB", "CME CBT CMX NYM NYB"),
    Exchange("XTSE", "America/Toronto", "TOR VAN NEO CNQ", "TO V NE CN"),
    Exchange("BVMF", "America/Sao_Paulo", "SAO", "SA"),
    Exchange("XMEX", "America/Mexico_City", "MEX", "MX"),
    Exchange("XBUE", "America/Argentina/Buenos_Aires", "BUE", "BA"),
    Exchange("XSGO", "America/Santiago", "SGO", "SN"),
    Exchange("XBOG", "America/Bogota", "BVC", "CL"),
    Exchange("XLON", "Europe/London", "LSE IOB", "L IL"),
    Exchange("XDUB", "Europe/Dublin", "ISE", "IR"),
    Exchange("XETR", "Europe/Berlin", "GER", "DE"),
    Exchange("XFRA", "Europe/Berlin", "FRA STU MUN BER DUS HAM HAN", "F SG MU BE DU HM HA BM"),
    Exchange("XPAR", "Europe/Paris", "PAR", "PA"),
    Exchange("XAMS", "Europe/Amsterdam", "AMS", "AS"),
    Exchange("XBRU", "Europe/Brussels", "BRU", "BR"),
    Exchange("XLIS", "Europe/Lisbon", "LIS", "LS"),
    Exchange("XMIL", "Europe/Rome", "MIL", "MI"),
    Exchange("XMAD", "Europe/Madrid", "MCE MAD", "MC"),
    Exchange("XSWX", "Europe/Zurich", "EBS", "SW"),
    Exchange("XWBO", "Europe/Vienna", "VIE", "VI"),
    Exchange("XSTO", "Europe/Stockholm", "STO", "ST"),
    Exchange("XCSE", "Europe/Copenhagen", "CPH", "CO"),
    Exchange("XHEL", "Europe/Helsinki", "HEL", "HE"),
    Exchange("XOSL", "Europe/Oslo", "OSL", "OL"),
    Exchange("XICE", "Atlantic/Reykjavik", "ICE", "IC"),
    Exchange("XWAR", "Europe/Warsaw", "WSE", "WA"),
    Exchange("XPRA", "Europe/Prague", "PRA", "PR"),
    Exchange("XBUD", "Europe/Budapest", "BUD", "BD"),
    Exchange("ASEX", "Europe/Athens", "ATH", "AT"),
    Exchange("XIST", "Europe/Istanbul", "IST", "IS"),
    Exchange("XTAL", "Europe/Tallinn", "TAL", "TL"),
    Exchange("XRIS", "Europe/Riga", "RIS", "RG"),
    Exchange("XLIT", "Europe/Vilnius", "LIT", "VS"),
    Exchange("XTAE", "Asia/Jerusalem", "TLV", "TA"),
    Exchange("XSAU", "Asia/Riyadh", "SAU", "SR"),
    Exchange("XJSE", "Africa/Johannesburg", "JNB", "JO"),
    Exchange("XBOM", "Asia/Kolkata", "NSI BSE", "NS BO"),
    Exchange("XTKS", "Asia/Tokyo", "JPX OSA", "T"),
    Exchange("XKRX", "Asia/Seoul", "KSC KOE", "KS KQ"),
    Exchange("XTAI", "Asia/Taipei", "TAI TWO", "TW TWO"),
    Exchange("XHKG", "Asia/Hong_Kong", "HKG", "HK"),
    Exchange("XSHG", "Asia/Shanghai", "SHH SHZ", "SS SZ"),
    Exchange("XSES", "Asia/Singapore", "SES", "SI"),
    Exchange("XKLS", "Asia/Kuala_Lumpur", "KLS", "KL"),
    Exchange("XIDX", "Asia/Jakarta", "JKT", "JK"),
    Exchange("XBKK", "Asia/Bangkok", "SET", "BK"),
    Exchange("XPHS", "Asia/Manila", "PHS", "PS"),
    Exchange("XASX", "Australia/Sydney", "ASX CXA", "AX XA"),
    Exchange("XNZE", "Pacific/Auckland", "NZE", "NZ"),
    Exchange("24/7", "UTC", "CCC", ""),
    Exchange("24/5", "Europe/London", "CCY", ""),
)
_BY_CODE = {code: exchange for exchange in _EXCHANGES for code in exchange.codes.split()}
_BY_SUFFIX = {suffix: exchange for exchange in _EXCHANGES for suffix in exchange.suffixes.split()}
_BY_INDEX = {  # a few indices by name; Yahoo's answer tells the others
    **dict.fromkeys(("^GSPC", "^SPX", "^IXIC", "^NDX", "^DJI", "^RUT", "^VIX", "^TNX"), "XNYS"),
    "^GSPTSE": "XTSE",
    "^BVSP": "BVMF",
    "^FTSE": "XLON",
    "^GDAXI": "XETR",
    "^STOXX50E": "XETR",
    "^FCHI": "XPAR",
    "^AEX": "XAMS",
    "^SSMI": "XSWX",
    "^N225": "XTKS",
    "^HSI": "XHKG",
    "^NSEI": "XBOM",
    "^BSESN": "XBOM",
    "^AXJO": "XASX",
}
_BY_CALENDAR = {exchange.calendar: exchange for exchange in _EXCHANGES}
_CRYPTO = re.compile(r".+-(USD|USDT|USDC|EUR|GBP|JPY|BTC|ETH)$")


def exchange_from_listing(
    ticker: str, code: str | None = None, instrument: str | None = None
) -> Exchange:
    """The exchange of a ticker; "weekdays" in UTC where nothing tells.

    Args:
        ticker: as Yahoo writes it.
        code: Yahoo's `exchangeName` ("NMS", "GER", "CCC"), where there is an answer.
        instrument: Yahoo's `instrumentType` ("EQUITY", "FUTURE", "CRYPTOCURRENCY", "CURRENCY").
    """
    if instrument == "FUTURE":
        return _BY_CALENDAR["CMES"]
    return _BY_CODE.get(code or "") or _exchange_from_ticker(ticker)


def timezone_from_calendar(calendar: str) -> str:
    """IANA time zone of an exchange; "UTC" for "weekdays"."""
    return _BY_CALENDAR[calendar].timezone if calendar in _BY_CALENDAR else "UTC"


def _exchange_from_ticker(ticker: str) -> Exchange:
    """The exchange by the way Yahoo writes its tickers."""
    if ticker.endswith("=X"):
        return _BY_CALENDAR["24/5"]
    if ticker.endswith("=F"):
        return _BY_CALENDAR["CMES"]
    if _CRYPTO.match(ticker):
        return _BY_CALENDAR["24/7"]
    unknown = Exchange("weekdays", "UTC", "", "")
    if ticker.startswith("^"):
        return _BY_CALENDAR.get(_BY_INDEX.get(ticker, ""), unknown)
    stem, dot, suffix = ticker.rpartition(".")
    return _BY_SUFFIX.get(suffix, unknown) if dot and stem else _BY_CALENDAR["XNYS"]
