"""The command line: a thin layer over the library. Typer and rich live here and nowhere else."""


def main() -> None:
    """Run `forecast`."""
    from forecast.cli.app import app

    app()
