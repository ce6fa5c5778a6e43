"""What changed from one commit to another, and whether a commit's tables are its own."""
