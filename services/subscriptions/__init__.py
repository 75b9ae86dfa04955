"""What happened, for customers: the feed of public events, and their deliveries to endpoints."""
