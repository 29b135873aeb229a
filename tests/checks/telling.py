"""What a check said: its messages' ids, each of which must help."""

from django.test import override_settings

from durable_django.checks import check_settings


def ids(messages):
    """The ids without their common part, in order; each message has a hint and ends a sentence."""
    assert all(message.hint for message in messages)
    assert all(message.msg.endswith((".", "?")) for message in messages)
    return [message.id.removeprefix("durable_django.") for message in messages]


def told(check=check_settings, **durable):
    """The messages of a check with these settings."""
    with override_settings(DURABLE=durable):
        return check()
