"""Every failure a person can cause or meet, and the exit code that each one ends with.

    ForecastError                 1   a failure that is explained in one sentence
    ├── UsageError                2   the command was asked for something that makes no sense
    ├── DataError                65   prices that cannot be used as they are
    │   └── UnknownTicker        65   the source answered, and does not know this ticker
    ├── SourceUnavailable        69   the source cannot be reached and nothing is cached
    ├── TryAgainLater            75   a rate limit, or a lock that another process holds
    ├── ConfigError              78   forecast.toml or an option has a value out of bounds
    └── RunError                  1   a stored run that is missing, damaged or of the wrong kind

Two more codes belong to the command line alone: 10 when some of several tickers failed,
130 when interrupted. Modules raise; only `forecast.cli` catches.
"""


class ForecastError(Exception):
    """A failure with a message that states the facts and names the nearest fix."""

    exit_code = 1


class UsageError(ForecastError):
    """The command was asked for something that makes no sense."""

    exit_code = 2


class DataError(ForecastError):
    """Prices that cannot be used as they are."""

    exit_code = 65


class UnknownTicker(DataError):
    """The source answered, and does not know this ticker."""


class SourceUnavailable(ForecastError):
    """The source cannot be reached, and no snapshot is there to fall back on."""

    exit_code = 69


class TryAgainLater(ForecastError):
    """A rate limit, or a lock that another process holds."""

    exit_code = 75


class ConfigError(ForecastError):
    """A setting in `forecast.toml` or an option that has a value out of bounds."""

    exit_code = 78


class RunError(ForecastError):
    """A stored run that is missing, damaged or of the wrong kind."""
