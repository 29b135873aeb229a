"""A music shop: products, stock, orders, payments, and the workflows between them."""
