"""IAM Identity Center's two small APIs, which moto lacks: sso-oidc (device code, authorization code with PKCE,
refresh) and the SSO portal (accounts, roles, role credentials, logout). Written here after the public API
reference. Credentials come out of moto.
"""
import base64, hashlib, html, json, os, re, secrets, time, urllib.parse

from moto.sts.models import sts_backends

users = {"alice": "alice-pw", "bob": "bob-pw"}
assigned = {
    "alice": [("111111111111", "Production", ["Admin", "ReadOnly"]), ("222222222222", "Staging", ["Deploy"]), ("123456789012", "Sandbox", ["Admin", "ReadOnly"])],
    "bob": [("111111111111", "Production", ["ReadOnly"])],
}
ttl = int(os.environ.get("LAB_SSO_TTL") or 3600)
device_ttl = int(os.environ.get("LAB_SSO_DEVICE_TTL") or 600)
interval = int(os.environ.get("LAB_SSO_INTERVAL") or 1)
clients, devices, codes, tokens, refresh = {}, {}, {}, {}, {}


class Failure(Exception):
    def __init__(self, status, kind, error, text):
        super().__init__(text); self.status, self.kind, self.error, self.text = status, kind, error, text


def oidc(kind, error, text, status=400):
    return Failure(status, kind, error, text)


def client(q):
    c = clients.get(q.get("clientId"))
    if c is None or not secrets.compare_digest(c["secret"], q.get("clientSecret") or ""):
        raise oidc("InvalidClientException", "invalid_client", "Invalid client", 401)
    if c["until"] < time.time():
        raise oidc("InvalidClientException", "invalid_client", "The client's registration has expired", 401)
    return c


def register(q):
    if not q.get("clientName") or q.get("clientType") != "public":
        raise oidc("InvalidClientMetadataException", "invalid_client_metadata", "clientType must be public")
    ident, now = secrets.token_urlsafe(16), int(time.time())
    clients[ident] = {"secret": secrets.token_urlsafe(48), "until": now + 90 * 86400, "scopes": q.get("scopes") or [], "redirects": q.get("redirectUris") or []}
    return {"clientId": ident, "clientSecret": clients[ident]["secret"], "clientIdIssuedAt": now, "clientSecretExpiresAt": now + 90 * 86400}


def device_authorization(q, base):
    client(q)
    if not re.match(r"https?://", q.get("startUrl") or ""):
        raise oidc("InvalidRequestException", "invalid_request", "startUrl is not valid")
    code = "-".join("".join(secrets.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(4)) for _ in range(2))
    ident = secrets.token_urlsafe(32)
    devices[ident] = {"user_code": code, "client": q["clientId"], "until": time.time() + device_ttl, "state": "pending", "last": 0.0}
    return {"deviceCode": ident, "userCode": code, "verificationUri": base + "/device", "verificationUriComplete": base + "/device?user_code=" + code,
            "expiresIn": device_ttl, "interval": interval}


def grant(user, q):
    t, r = "aoa" + secrets.token_urlsafe(120), "aor" + secrets.token_urlsafe(60)
    tokens[t] = {"user": user, "until": time.time() + ttl}
    refresh[r] = {"user": user, "client": q["clientId"]}
    reply = {"accessToken": t, "tokenType": "Bearer", "expiresIn": ttl}
    if clients[q["clientId"]]["scopes"]:
        reply["refreshToken"] = r
    return reply


def token(q):
    client(q)
    kind = q.get("grantType")
    if kind == "urn:ietf:params:oauth:grant-type:device_code":
        d = devices.get(q.get("deviceCode"))
        if d is None or d["client"] != q["clientId"]: raise oidc("InvalidGrantException", "invalid_grant", "Invalid device code")
        if d["until"] < time.time(): raise oidc("ExpiredTokenException", "expired_token", "The device code has expired")
        early, d["last"] = time.time() - d["last"] < interval * 0.8, time.time()
        if d["state"] == "pending":
            if early: raise oidc("SlowDownException", "slow_down", "Polled faster than the interval")
            raise oidc("AuthorizationPendingException", "authorization_pending", "The user has not answered yet")
        if d["state"] == "denied": raise oidc("AccessDeniedException", "access_denied", "The user said no")
        del devices[q["deviceCode"]]
        return grant(d["user"], q)
    if kind == "authorization_code":
        c = codes.pop(q.get("code"), None)
        if c is None or c["client"] != q["clientId"] or c["redirect"] != q.get("redirectUri"):
            raise oidc("InvalidGrantException", "invalid_grant", "Invalid code")
        if base64.urlsafe_b64encode(hashlib.sha256((q.get("codeVerifier") or "").encode()).digest()).decode().rstrip("=") != c["challenge"]:
            raise oidc("InvalidGrantException", "invalid_grant", "Invalid code verifier")
        return grant(c["user"], q)
    if kind == "refresh_token":
        r = refresh.pop(q.get("refreshToken"), None)
        if r is None or r["client"] != q["clientId"]: raise oidc("InvalidGrantException", "invalid_grant", "Invalid refresh token")
        return grant(r["user"], q)
    raise oidc("UnsupportedGrantTypeException", "unsupported_grant_type", "Unsupported grant type")


def signed_in(env):
    t = tokens.get(env.get("HTTP_X_AMZ_SSO_BEARER_TOKEN"))
    if t is None or t["until"] < time.time():
        raise Failure(401, "UnauthorizedException", None, "Session token not found or invalid")
    return t["user"]


def page_of(items, q, name):
    start, size = int(q.get("next_token") or 0), min(int(q.get("max_result") or os.environ.get("LAB_SSO_PAGE") or 20), 100)
    reply = {name: items[start:start + size]}
    reply["nextToken"] = str(start + size) if start + size < len(items) else None
    return reply


def accounts(env, q):
    return page_of([{"accountId": a, "accountName": n, "emailAddress": n.lower() + "@example.org"} for a, n, _ in assigned[signed_in(env)]], q, "accountList")


def roles(env, q):
    mine = [r for a, _, rs in assigned[signed_in(env)] if a == q.get("account_id") for r in rs]
    if not mine: raise Failure(403, "ForbiddenException", None, "No access")
    return page_of([{"roleName": r, "accountId": q["account_id"]} for r in mine], q, "roleList")


def credentials(env, q):
    user = signed_in(env)
    if not any(a == q.get("account_id") and q.get("role_name") in rs for a, _, rs in assigned[user]):
        raise Failure(403, "ForbiddenException", None, "No access")
    arn = "arn:aws:iam::%s:role/%s" % (q["account_id"], q["role_name"])
    r = sts_backends[q["account_id"]]["aws"].assume_role(region_name="us-east-1", role_session_name=user, role_arn=arn, policy=None, duration=3600, external_id=None)
    return {"roleCredentials": {"accessKeyId": r.access_key_id, "secretAccessKey": r.secret_access_key, "sessionToken": r.session_token, "expiration": int(r.expiration.timestamp() * 1000)}}


def ask(action, hidden, note=""):
    fields = "".join('<input type="hidden" name="%s" value="%s">' % (html.escape(k), html.escape(v, True)) for k, v in hidden.items() if v)
    code = "" if "user_code" not in hidden or hidden["user_code"] else '<label>Code <input name="user_code" type="text"></label>'
    return ('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Authorize request</title></head><body><h1>Authorize request</h1>%s<form method="post" action="%s">%s%s'
            '<label>User <input name="login" type="text"></label><label>Password <input name="password" type="password"></label>'
            '<button type="submit" name="answer" value="allow">Allow</button><button type="submit" name="answer" value="deny">Deny</button></form></body></html>'
            % ('<p class="error">%s</p>' % html.escape(note) if note else "", action, fields, code))


def right(form):
    return form.get("login") in users and secrets.compare_digest(users[form["login"]], form.get("password") or "")


def device(form):
    d = next((x for x in devices.values() if x["user_code"] == form.get("user_code", "").upper() and x["until"] > time.time() and x["state"] == "pending"), None)
    if d is None: return 400, ask("/device", {"user_code": ""}, "The code is not right or has expired.")
    if form.get("answer") == "deny": d["state"] = "denied"; return 200, "<!DOCTYPE html><title>Denied</title><h1>Request denied</h1>"
    if not right(form): return 400, ask("/device", {"user_code": form["user_code"]}, "User or password is not right.")
    d.update(state="granted", user=form["login"])
    return 200, "<!DOCTYPE html><title>Approved</title><h1>Request approved</h1><p>You may close this page.</p>"


def authorize(form):
    keep = {k: form.get(k, "") for k in ("client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "response_type", "scopes")}
    c = clients.get(keep["client_id"])
    loop = re.match(r"http://127\.0\.0\.1(:\d+)?/", keep["redirect_uri"])
    if c is None or not loop or keep["code_challenge_method"] != "S256" or not keep["code_challenge"]:
        return 400, "<!DOCTYPE html><title>Error</title><h1>invalid_request</h1>", None
    if "answer" not in form: return 200, ask("/authorize", keep), None
    back = lambda **q: keep["redirect_uri"] + "?" + urllib.parse.urlencode({**q, "state": keep["state"]})
    if form["answer"] == "deny": return 302, "", back(error="access_denied")
    if not right(form): return 400, ask("/authorize", keep, "User or password is not right."), None
    code = secrets.token_urlsafe(24)
    codes[code] = {"client": keep["client_id"], "redirect": keep["redirect_uri"], "challenge": keep["code_challenge"], "user": form["login"]}
    return 302, "", back(code=code)


def handle(env, start, body):
    """Answers a request that is Identity Center's, or returns None."""
    method, path = env["REQUEST_METHOD"], env["PATH_INFO"]
    query = dict(urllib.parse.parse_qsl(env.get("QUERY_STRING", "")))
    base = os.environ.get("LAB_SSO_URL") or "%s://%s" % (env["wsgi.url_scheme"], env.get("HTTP_HOST"))

    def say(status, text, kind="application/json", more=()):
        text = text.encode() if isinstance(text, str) else json.dumps(text).encode()
        start("%d OK" % status, [("Content-Type", kind), ("Content-Length", str(len(text))), ("x-amzn-RequestId", secrets.token_hex(16)), *more])
        return [text]

    try:
        if method == "POST" and path in ("/client/register", "/device_authorization", "/token"):
            try: q = json.loads(body or b"{}")
            except ValueError: raise oidc("InvalidRequestException", "invalid_request", "not JSON")
            return say(200, register(q) if path == "/client/register" else token(q) if path == "/token" else device_authorization(q, base))
        if method == "GET" and path in ("/assignment/accounts", "/assignment/roles", "/federation/credentials"):
            return say(200, {"/assignment/accounts": accounts, "/assignment/roles": roles, "/federation/credentials": credentials}[path](env, query))
        if method == "POST" and path == "/logout" and env.get("HTTP_X_AMZ_SSO_BEARER_TOKEN"):
            signed_in(env); tokens.pop(env["HTTP_X_AMZ_SSO_BEARER_TOKEN"], None)
            return say(200, "")
        if path in ("/device", "/authorize"):
            form = {**query, **(dict(urllib.parse.parse_qsl(body.decode())) if method == "POST" else {})}
            if path == "/authorize":
                status, text, to = authorize(form)
                return say(status, text, "text/html; charset=utf-8", [("Location", to)] if to else [])
            status, text = device(form) if method == "POST" else (200, ask("/device", {"user_code": query.get("user_code", "")}))
            return say(status, text, "text/html; charset=utf-8")
    except Failure as e:
        text = {"error": e.error, "error_description": e.text} if e.error else {"message": e.text}
        return say(e.status, text, more=[("x-amzn-ErrorType", e.kind)])
    return None
