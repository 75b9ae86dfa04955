"""The services of Troth; they meet only in contracts."""
