"""The executor: runs workflows, once, whatever happens."""
