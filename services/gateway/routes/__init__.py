"""One file per service that is asked; each route parses, asks, translates."""
