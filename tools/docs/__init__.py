"""The documentation that is made from the code, so that it can't be wrong for long."""
