"""Programs of the repository: generated documentation and golden files."""
