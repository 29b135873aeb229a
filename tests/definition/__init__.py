"""Tests of durable_django.definition: what a class body says, and every mistake in it."""
