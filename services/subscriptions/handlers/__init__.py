"""Answers what others ask of subscriptions."""
