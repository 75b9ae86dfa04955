"""What every service is built from: messages, log, relay, inbox, bus, sealing, telemetry."""
