"""Identity: who is calling, and may they? Also the keeper of everybody's data keys."""
