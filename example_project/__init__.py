"""A music shop, a travel agency and reports that run on durable_django, to learn from and to try
things on."""
