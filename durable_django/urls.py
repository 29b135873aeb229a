"""URLs: what a project includes for outside systems to call back.

``path("durable/", include("durable_django.urls"))``; nothing here is for people.
"""

from django.urls import path

from . import views

app_name = "durable_django"

urlpatterns = [path("callback/<str:token>/", views.callback, name="callback")]
