"""Connectors: one file each, with inputs, outputs, effect and a card."""
