"""The admin is all there is for people to see; `/` leads to it. Outside systems call back below
`/durable/`.
"""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("durable/", include("durable_django.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
