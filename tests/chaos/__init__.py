"""Kills processes under load and checks the guarantees G1 to G4 from the databases."""
