"""What tells of a server at work: its logs, its metrics, and what blocks its event loop."""
