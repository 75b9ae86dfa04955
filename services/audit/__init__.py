"""The trail: every event of every service entered once, and the proof that none is missing."""
