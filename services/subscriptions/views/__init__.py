"""What callers see of subscriptions: the listing, what happened, and what was sent."""
