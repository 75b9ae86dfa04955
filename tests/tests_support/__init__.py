"""Support for the test-suite itself."""
