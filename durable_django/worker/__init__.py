"""The worker: claims ready runs, runs their steps, commits what they did."""
