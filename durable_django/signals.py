"""Signals, sent with ``send_robust`` after the transaction that they tell of has committed.

``execution_started(sender=name, execution_id)``  a run was written by ``start``
``execution_finished(sender=name, execution_id, status)``  a run reached a final status
``step_finished(sender=name, execution_id, node, status, attempt)``  an attempt ended
``input_requested(sender=name, execution_id, pending_input_id, name, assignee_kind, assignee)``
    a run waits for somebody: "user" and a username, "group" and its name, "permission" and
    "app.codename", or "" and "" for anybody; see ``notifications.tell_assignee``
``input_answered(sender=name, execution_id, pending_input_id, name, by)``
    somebody answered; ``by`` is a username, "" for code

``sender`` is the workflow's name. A receiver that raises changes nothing; its error is logged by
Django. A process that dies between commit and sending sends nothing: use them to tell people and
caches, not for what must happen (that is a step).
"""

from django.dispatch import Signal

execution_started = Signal()
execution_finished = Signal()
step_finished = Signal()
input_requested = Signal()
input_answered = Signal()
