"""System checks (registered in the next lines of work)."""
