"""What may be used, and what has been used: plans, accounts, entitlements, the meter."""
