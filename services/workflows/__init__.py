"""Workflows: documents, drafts, published versions, triggers, secrets and variables."""
