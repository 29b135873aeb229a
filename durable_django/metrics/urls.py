"""URLs: what a project includes for its monitoring system to read the metrics.

``path("durable/metrics/", include("durable_django.metrics.urls"))``; without it there is no such
page.
"""

from django.urls import path

from . import view

app_name = "durable_metrics"

urlpatterns = [path("", view.metrics, name="metrics")]
