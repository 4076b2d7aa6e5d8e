"""What stays on disk: runs and their champions, and the forecast ledger."""
