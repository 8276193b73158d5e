"""The portal's own pages."""

from django.urls import URLPattern, path

from portal import (
    change_pages,
    doors,
    file_pages,
    identity_pages,
    portfolio_pages,
    rights_pages,
    roster,
    second_step,
    simulator_pages,
    sso,
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
    path("sso/oidc/login/", sso.oidc_login, name="oidc-login"),
    path("sso/oidc/callback/", sso.oidc_callback, name="oidc-callback"),
    path("sso/saml/login/", sso.saml_login, name="saml-login"),
    # Under these four names allauth looks for them.
    path("sso/<slug:organization_slug>/acs/", sso.saml_acs, name="saml_acs"),
    path("sso/<slug:organization_slug>/acs/finish/", sso.saml_finish, name="saml_finish_acs"),
    path("sso/<slug:organization_slug>/metadata/", sso.saml_metadata, name="saml_metadata"),
    path("sso/<slug:organization_slug>/sls/", sso.nowhere, name="saml_sls"),
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
    path("accounts/<str:login>/link/", identity_pages.link, name="account-link"),
    path("accounts/<str:login>/unlink/<int:pk>/", identity_pages.unlink, name="account-unlink"),
    path("identity/groups/", identity_pages.groups, name="groups"),
    path("identity/groups/<int:pk>/end/", identity_pages.end_mapping, name="group-end"),
    path("identity/teams/", second_step.team_rules, name="team-rules"),
    path("identity/teams/<slug:slug>/second-factor/", second_step.require_factor, name="team-factor"),
    path("ledger/", views.ledger_page, name="ledger"),
    path("ledger/<int:seq>/", views.ledger_entry, name="ledger-entry"),
]
