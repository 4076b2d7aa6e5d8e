"""Forecast stock prices with Keras SimpleRNN and LSTM networks, and tell the truth about how good that is.

    import forecast

    run = forecast.train("TSLA")          # fetch if due, train, score, store
    forecast.compare("TSLA")              # the stored runs side by side
    forecast.predict("TSLA")              # the next sessions, with ranges
    forecast.backtest("TSLA")             # walk forward with refits

The import loads nothing: pandas, matplotlib and TensorFlow come with the first call that needs them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # what type checkers take for true without importing typing
    from forecast.api import backtest, compare, predict, train

__all__ = ["backtest", "compare", "predict", "train"]


def __getattr__(name: str) -> object:
    """The functions of `forecast.api`, at the first use of one of them."""
    if name not in __all__:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    from forecast import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """Names that a notebook offers."""
    return sorted({*globals(), *__all__})
