"""Pages to open, mail or keep: what is stored of a ticker, on one self-contained HTML page, and an index over all."""
