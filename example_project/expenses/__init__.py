"""What employees have spent and want back, and who has to agree."""
