"""What `check_game` looks at: how episodes are recorded, and the rules they must keep."""
