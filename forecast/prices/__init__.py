"""Where prices come from and how they are kept: sources, snapshots, exchange sessions."""
