"""The cell opened: what its gates did, how far back it feels, what moved a forecast, and pictures of it."""
