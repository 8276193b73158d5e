"""The portal's own pages."""

from django.urls import URLPattern, path

from portal import (
    change_pages,
    doors,
    file_pages,
    portfolio_pages,
    rights_pages,
    roster,
    second_step,
    simulator_pages,
    views,
)


def _rights(under: str, prefix: str) -> list[URLPattern]:
    """The pages of rights of the estate, a project, a portfolio or a team."""
    base = f"{under}rights/"
    return [
        path(base, rights_pages.show, name=f"{prefix}rights"),
        path(f"{base}edit/", rights_pages.edit, name=f"{prefix}rights-edit"),
        path(f"{base}preview/<str:draft>/", rights_pages.preview, name=f"{prefix}rights-preview"),
        path(f"{base}each/", rights_pages.each, name=f"{prefix}rights-each"),
        path(f"{base}file/", file_pages.file, name=f"{prefix}rights-file"),
        path(f"{base}<int:pk>/revoke/", rights_pages.revoke, name=f"{prefix}right-revoke"),
    ]


urlpatterns = [
    path("login/", doors.SignIn.as_view(), name="login"),
    path("logout/", doors.without_factor(doors.SignOut.as_view()), name="logout"),
    path("login/second-factor/", second_step.second_factor, name="second-factor"),
    path("set-password/", doors.set_password, name="set-password"),
    path("health/", views.health, name="health"),
    path("account/", views.account, name="account"),
    path("account/tokens/<int:pk>/revoke/", views.revoke_token, name="token-revoke"),
    *_rights("", "estate-"),
    *_rights("projects/<str:key>/", ""),
    *_rights("portfolios/<str:portfolio>/", "portfolio-"),
    *_rights("teams/<str:team>/", "team-"),
    path("projects/<str:key>/rights/who/", simulator_pages.simulate, name="rights-who"),
    path("changes/", change_pages.listed, name="changes"),
    path("changes/<int:pk>/", change_pages.one, name="change"),
    path("changes/<int:pk>/apply/", change_pages.apply, name="change-apply"),
    path("changes/<int:pk>/refuse/", change_pages.refuse, name="change-refuse"),
    path("changes/<int:pk>/withdraw/", change_pages.withdraw, name="change-withdraw"),
    path("portfolios/", portfolio_pages.listed, name="portfolios"),
    path("portfolios/<str:slug>/", portfolio_pages.one, name="portfolio"),
    path("portfolios/<str:slug>/put/", portfolio_pages.put, name="portfolio-put"),
    path("portfolios/<str:slug>/take-out/<str:key>/", portfolio_pages.take_out, name="portfolio-take-out"),
    path("account/password/", doors.change_password, name="password"),
    path("account/prove/", second_step.prove, name="prove"),
    path("account/factors/", second_step.factors_page, name="factors"),
    path("account/factors/app/", second_step.add_app, name="factor-app"),
    path("account/factors/passkey/", second_step.add_passkey, name="factor-passkey"),
    path("account/factors/codes/", second_step.new_codes, name="factor-codes"),
    path("account/factors/<int:pk>/remove/", second_step.remove_factor, name="factor-remove"),
    path("account/sessions/<int:pk>/end/", doors.end_session, name="session-end"),
    path("account/sessions/end-others/", doors.end_other_sessions, name="sessions-end-others"),
    path("accounts/", doors.accounts_page, name="accounts"),
    path("accounts/<str:login>/", doors.account_of, name="account-of"),
    path("accounts/<str:login>/reset-password/", doors.reset_password, name="account-reset"),
    path("accounts/<str:login>/end-sessions/", doors.end_sessions_of, name="account-end-sessions"),
    path("accounts/<str:login>/remove-factors/", second_step.remove_factors_of, name="account-factors"),
    path("accounts/<str:login>/disable/", doors.disable_account, name="account-disable"),
    path("people/", roster.everybody, name="people"),
    path("people/add/", roster.add_person, name="person-add"),
    path("people/<uuid:pk>/", roster.person, name="person"),
    path("people/<uuid:pk>/tokens/<int:number>/revoke/", roster.revoke_token, name="person-token-revoke"),
    path("identity/teams/", second_step.team_rules, name="team-rules"),
    path("identity/teams/<slug:slug>/second-factor/", second_step.require_factor, name="team-factor"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/<int:seq>/", views.ledger_entry, name="ledger-entry"),
]
