"""How an address hears that a retraining starts and how it ended: GET URL/start, then URL/EXIT_CODE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from forecast.errors import ConfigError, ForecastError

TIMEOUT = 5.0  # [s] a dead address delays a run by twice this, and never fails it


@contextmanager
def reported_to(url: str | None, interrupted: int = 130) -> Iterator[None]:
    """Tell `url` that the block starts, and the exit code that it ends with; None tells nobody.

    Args:
        url: of http or https.
        interrupted: the exit code of Ctrl-C.

    Raises:
        ConfigError: `url` is no such address.
    """
    if url is not None and not url.startswith(("http://", "https://")):
        raise ConfigError(f"ping_url is {url!r}; it begins with http:// or https://.")
    _ping(url, "start")
    exit_code = 1
    try:
        yield
        exit_code = 0
    except SystemExit as end:
        exit_code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except ForecastError as error:
        exit_code = error.exit_code
        raise
    except KeyboardInterrupt:
        exit_code = interrupted
        raise
    finally:
        _ping(url, str(exit_code))


def _ping(url: str | None, word: str) -> None:
    """Whatever goes wrong here is nobody's business: the retraining counts."""
    if url is None:
        return
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(f"{url.rstrip('/')}/{word}", timeout=TIMEOUT):
            pass
    except (OSError, HTTPException, ValueError):
        pass
