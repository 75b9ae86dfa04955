"""The parts of a single machine: PostgreSQL, NATS, their data folder and their supervisor."""
