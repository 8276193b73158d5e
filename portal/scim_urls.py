"""Addresses of SCIM 2.0, without slashes at their ends, as RFC 7644 has them."""

from django.urls import path, re_path

from portal import scim

urlpatterns = [
    path("ServiceProviderConfig", scim.Config.as_view()),
    path("Schemas", scim.Schemas.as_view()),
    path("Schemas/<str:pk>", scim.Schemas.as_view()),
    path("ResourceTypes", scim.ResourceTypes.as_view()),
    path("ResourceTypes/<str:pk>", scim.ResourceTypes.as_view()),
    path("Users", scim.Users.as_view()),
    path("Users/<str:pk>", scim.OneUser.as_view()),
    path("Groups", scim.Groups.as_view()),
    path("Groups/<str:pk>", scim.OneGroup.as_view()),
    re_path(r"^.*$", scim.Nowhere.as_view()),
]
