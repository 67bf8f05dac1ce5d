"""A stand-in for Alibaba's STS on loopback. Written here; what it judges by is Alibaba's own code:
signatures are computed again by alibabacloud-tea-openapi (ACS3-HMAC-SHA256 and the older RPC HMAC-SHA1),
SAML responses are checked by signxml, OIDC tokens by PyJWT. Error codes are near Alibaba's, not a copy.
"""
import base64, datetime as dt, http.server, json, os, re, secrets, sys, urllib.parse, urllib.request, uuid
from types import SimpleNamespace

from alibabacloud_tea_openapi.utils import Utils

port = int(sys.argv[1])
ns = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion"}
ali = "https://www.aliyun.com/SAML-Role/Attributes/"
keys = {"LTAILABROOT": {"secret": "lab-root-secret", "token": None, "arn": "acs:ram::1000000000000001:user/lab", "until": None}}
now = lambda: dt.datetime.now(dt.timezone.utc)


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(message); self.status, self.code, self.message = status, code, message


def issue(role_arn, session, seconds):
    if not re.fullmatch(r"acs:ram::\d+:role/[\w./-]+", role_arn or ""):
        raise Refused(400, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.")
    if not re.fullmatch(r"[\w.@=-]{2,64}", session or ""):
        raise Refused(400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
    if not str(seconds).isdigit() or not 900 <= int(seconds) <= 43200:
        raise Refused(400, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/12hr.")
    account, name = re.fullmatch(r"acs:ram::(\d+):role/(.+)", role_arn).groups()
    until = now() + dt.timedelta(seconds=int(seconds))
    arn = "acs:ram::%s:assumed-role/%s/%s" % (account, name.lower(), session)
    key = {"secret": secrets.token_urlsafe(32), "token": "CAIS" + secrets.token_urlsafe(180), "arn": arn, "until": until}
    ident = "STS." + secrets.token_hex(12)
    keys[ident] = key
    return {"RequestId": str(uuid.uuid4()).upper(),
            "Credentials": {"AccessKeyId": ident, "AccessKeySecret": key["secret"], "SecurityToken": key["token"], "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")},
            "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": "3" + "0" * 17 + ":" + session}}


def with_saml(q):
    from lxml import etree
    from signxml import XMLVerifier
    try:
        root = etree.fromstring(base64.b64decode(q.get("SAMLAssertion", ""), validate=True), etree.XMLParser(resolve_entities=False, no_network=True))
        x = root
        if os.environ.get("LAB_SAML_CERT"):
            x = XMLVerifier().verify(root, x509_cert=open(os.environ["LAB_SAML_CERT"]).read(), id_attribute="ID").signed_xml
        x = x if x.tag.endswith("}Assertion") else x.find("a:Assertion", ns)
        when = dt.datetime.fromisoformat(x.find(".//a:SubjectConfirmationData", ns).get("NotOnOrAfter").replace("Z", "+00:00"))
        recipient = x.find(".//a:SubjectConfirmationData", ns).get("Recipient")
        audience = {e.text for e in x.iterfind(".//a:Audience", ns)}
    except Exception as e:
        raise Refused(400, "InvalidParameter.SAMLAssertion", "The SAML assertion is not acceptable: %s" % e)
    if now() > when:
        raise Refused(400, "AuthenticationFail.SAMLAssertion.Expired", "This SAML Assertion is expired.")
    if recipient not in ("https://signin.aliyun.com/saml-role/sso", "https://signin.alibabacloud.com/saml-role/sso") \
            or not {a for a in audience if a.startswith("urn:alibaba:cloudcomputing")}:
        raise Refused(400, "AuthenticationFail.SAMLAssertion.Recipient", "Recipient or audience is not Alibaba Cloud.")
    values = {t.get("Name"): [v.text for v in t.iterfind("a:AttributeValue", ns)] for t in x.iterfind(".//a:Attribute", ns)}
    if not any({s.strip() for s in v.split(",")} == {q.get("RoleArn"), q.get("SAMLProviderArn")} for v in values.get(ali + "Role", [])):
        raise Refused(403, "NoPermission", "You are not authorized to do this action: the assertion does not name this role.")
    given = (values.get(ali + "SessionDuration") or ["3600"])[0]
    reply = issue(q["RoleArn"], (values.get(ali + "RoleSessionName") or [""])[0], q.get("DurationSeconds") or given)
    reply["SAMLAssertionInfo"] = {"SubjectType": "persistent", "Subject": x.find(".//a:NameID", ns).text, "Recipient": recipient, "Issuer": x.find("a:Issuer", ns).text}
    return reply


def with_oidc(q):
    import jwt
    token, issuer = q.get("OIDCToken", ""), os.environ.get("LAB_OIDC_ISSUER")
    try:
        if issuer:
            web = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            conf = json.load(web.open(issuer.rstrip("/") + "/.well-known/openid-configuration", timeout=10))
            key = next(k for k in jwt.PyJWKSet.from_dict(json.load(web.open(conf["jwks_uri"], timeout=10))).keys if k.key_id == jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(token, key, algorithms=["RS256", "ES256"], issuer=issuer, leeway=30, audience=os.environ.get("LAB_OIDC_AUDIENCE", "sts.aliyuncs.com,lab-cli,lab-cli-es256").split(","))
        else:
            claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, StopIteration) as e:
        code = {"InvalidAudienceError": "AudienceNotMatch", "ExpiredSignatureError": "Expired", "InvalidSignatureError": "InvalidSignature"}.get(type(e).__name__, "Invalid")
        raise Refused(401, "AuthenticationFail.OIDCToken." + code, "The OIDC token is not acceptable: %s" % e)
    if not re.fullmatch(r"acs:ram::\d+:oidc-provider/[\w.-]+", q.get("OIDCProviderArn", "")):
        raise Refused(400, "InvalidParameter.OIDCProviderArn", "The parameter OIDCProviderArn is wrongly formed.")
    reply = issue(q.get("RoleArn"), q.get("RoleSessionName"), q.get("DurationSeconds") or "3600")
    reply["OIDCTokenInfo"] = {"Subject": claims["sub"], "Issuer": claims["iss"], "ClientIds": ",".join([claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"])}
    return reply


def caller(method, path, query, headers, body, form):
    """Who signed this request: recomputes the signature with Alibaba's own library."""
    auth = headers.get("authorization", "")
    m = re.match(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]+)$", auth)
    if m:
        ident, given, token = m[1], m[3], headers.get("x-acs-security-token")
    else:
        ident, given, token = form.get("AccessKeyId"), form.get("Signature"), form.get("SecurityToken")
    if not ident or not given:
        raise Refused(400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.")
    key = keys.get(ident)
    if key is None:
        raise Refused(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    if m:
        payload = Utils.hex_encode(Utils.hash(body, "ACS3-HMAC-SHA256"))
        if headers.get("x-acs-content-sha256") != payload:
            raise Refused(400, "SignatureDoesNotMatch", "x-acs-content-sha256 is not the hash of the body.")
        # the library signs host, content-type and x-acs-*; only what the client says it signed counts
        signed = {h: headers[h] for h in m[2].split(";") if h in headers}
        again = hand_signed(method, path, query, signed, m[2], payload, key["secret"])
        library = Utils.get_authorization(SimpleNamespace(method=method, pathname=path, query=query, headers=signed), "ACS3-HMAC-SHA256", payload, ident, key["secret"])
        if given not in (again, library.rsplit("Signature=", 1)[1]):
            raise Refused(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
        stamp = headers.get("x-acs-date", "")
    else:
        params = {k: v for k, v in form.items() if k != "Signature"}
        if Utils.get_rpcsignature(params, method, key["secret"]) != given:
            raise Refused(400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:-")
        stamp = form.get("Timestamp", "")
    if abs((now() - dt.datetime.fromisoformat(stamp.replace("Z", "+00:00"))).total_seconds()) > 900:
        raise Refused(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    if key["token"] != token:
        raise Refused(400, "InvalidSecurityToken.Malformed", "The specified parameter SecurityToken.Malformed is not valid.")
    if key["until"] and now() > key["until"]:
        raise Refused(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
    return key


def hand_signed(method, path, query, signed, names, payload, secret):
    """The canonical request over exactly the headers that were named, also those that the library leaves out."""
    import hashlib, hmac
    quote = lambda s: urllib.parse.quote(str(s), safe="-_.~")
    canonical = "\n".join([method, path, "&".join("%s=%s" % (quote(k), quote(query[k])) for k in sorted(query)),
                           "".join("%s:%s\n" % (h, signed.get(h, "").strip()) for h in names.split(";")), names, payload])
    return hmac.new(secret.encode(), ("ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()).encode(), hashlib.sha256).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status); self.send_header("Content-Type", "application/json;charset=utf-8"); self.send_header("Content-Length", str(len(text)))
        self.send_header("x-acs-request-id", value.get("RequestId", "")); self.end_headers(); self.wfile.write(text)

    def console(self):
        """The sign-in page, /saml-role/sso: what a browser posts there is held against the same rules."""
        from lxml import etree
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers.get("content-length") or 0)).decode("utf-8", "replace")))
        status, text = 200, "<!DOCTYPE html><title>Alibaba Cloud Console</title><p id=role>%s</p>"
        try:
            root = etree.fromstring(base64.b64decode(form.get("SAMLResponse", ""), validate=True), etree.XMLParser(resolve_entities=False, no_network=True))
            roles = [v.text for t in root.iterfind(".//a:Attribute", ns) if t.get("Name") == ali + "Role" for v in t.iterfind("a:AttributeValue", ns)]
            if len(roles) != 1: raise ValueError("roles")
            pair = dict(zip(("RoleArn", "SAMLProviderArn"), sorted(roles[0].split(","), key=lambda s: ":role/" not in s)))
            with_saml({"SAMLAssertion": form["SAMLResponse"], **pair})
            text %= pair["RoleArn"]
        except (Refused, ValueError, etree.XMLSyntaxError) as e: status, text = 400, "<title>Alibaba Cloud</title>The SAML assertion is invalid: %s" % e
        self.send_response(status); self.send_header("Content-Type", "text/html; charset=utf-8"); self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers(); self.wfile.write(text.encode())

    def do(self):
        if self.path == "/saml-role/sso": return self.console()
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {k.lower(): v for k, v in self.headers.items()}
        form = dict(query)
        if "urlencoded" in headers.get("content-type", ""):
            form.update(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        action = headers.get("x-acs-action") or form.get("Action")
        try:
            if (headers.get("x-acs-version") or form.get("Version")) != "2015-04-01":
                raise Refused(400, "InvalidVersion", "Specified parameter Version is not valid.")
            if action == "AssumeRoleWithSAML": reply = with_saml(form)
            elif action == "AssumeRoleWithOIDC": reply = with_oidc(form)
            else:
                who = caller(self.command, url.path or "/", query, headers, body, form)
                if action == "GetCallerIdentity":
                    account = who["arn"].split(":")[3]
                    reply = {"RequestId": str(uuid.uuid4()).upper(), "AccountId": account, "Arn": who["arn"], "UserId": account, "PrincipalId": account,
                             "IdentityType": "AssumedRoleUser" if "assumed-role" in who["arn"] else "RAMUser", "RoleId": "3" + "0" * 17}
                elif action == "AssumeRole": reply = issue(form.get("RoleArn"), form.get("RoleSessionName"), form.get("DurationSeconds") or "3600")
                else: raise Refused(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
            self.answer(200, reply)
        except Refused as e:
            self.answer(e.status, {"RequestId": str(uuid.uuid4()).upper(), "HostId": "sts.aliyuncs.com", "Code": e.code, "Message": e.message})

    do_GET = do_POST = do


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
