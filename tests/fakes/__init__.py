"""Fakes that speak the real wire protocol over a socket; no service imports them."""
