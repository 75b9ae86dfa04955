"""The trail's arithmetic, after docs/trail-format.md: pure functions, no input and no output.

canonical: `body` and `leaf` of an entry (both are kept for ever) · tree: hashes, frontier, ranges ·
paths: inclusion, consistency, covers · notes: signed checkpoints · cosignatures: those of
witnesses · proofs: proof files · exporting: the lines of an export.
"""
