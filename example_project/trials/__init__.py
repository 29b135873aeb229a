"""The record club: two weeks free for customers of the shop."""
