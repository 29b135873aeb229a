"""An app for worker processes that are killed: workflows, and a table of what their steps did."""
