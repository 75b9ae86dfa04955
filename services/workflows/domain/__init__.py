"""What may happen to workflows, secrets and variables: pure deciders; documents, taken apart."""
