"""Figures about the shop, put together side by side."""
