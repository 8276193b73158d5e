"""The portal's own pages."""

from django.urls import path

from portal import doors, views

urlpatterns = [
    path("login/", doors.SignIn.as_view(), name="login"),
    path("logout/", doors.SignOut.as_view(), name="logout"),
    path("set-password/", doors.set_password, name="set-password"),
    path("health/", views.health, name="health"),
    path("account/", views.account, name="account"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
    path("account/password/", doors.change_password, name="password"),
    path("account/sessions/<int:pk>/end/", doors.end_session, name="session-end"),
    path("account/sessions/end-others/", doors.end_other_sessions, name="sessions-end-others"),
    path("accounts/", doors.accounts_page, name="accounts"),
    path("accounts/<str:login>/", doors.account_of, name="account-of"),
    path("accounts/<str:login>/reset-password/", doors.reset_password, name="account-reset"),
    path("accounts/<str:login>/end-sessions/", doors.end_sessions_of, name="account-end-sessions"),
    path("accounts/<str:login>/disable/", doors.disable_account, name="account-disable"),
    path("rights/", views.estate_rights, name="estate-rights"),
    path("rights/<int:pk>/revoke/", views.revoke_grant, name="estate-right-revoke"),
    path("projects/<str:key>/rights/", views.project_rights, name="rights"),
    path("projects/<str:key>/rights/<int:pk>/revoke/", views.revoke_grant, name="right-revoke"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/<int:seq>/", views.ledger_entry, name="ledger-entry"),
]
