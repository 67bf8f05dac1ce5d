"""moto's server, with what it leaves out in front of it.

moto answers STS, but takes any SAML response, falls over a Role attribute with more than one value,
ignores DurationSeconds with SAML and forgets whose the session is outside its own account. With
LAB_SAML_CERT (a PEM file) the response's signature, times, audience, recipient and role pair are
checked here by signxml first. What passes is handed to moto.

moto's KMS signs the text of a digest as if it were the message. Here a digest is signed as AWS does, and nothing else is.
"""
import base64, datetime as dt, io, json, os, re, sys, threading, urllib.parse

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto import settings
from moto.iam.models import iam_backends
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import run_simple

import sso

port = int(sys.argv[1])
own = "123456789012"
ns = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion"}
aws = "https://aws.amazon.com/SAML/Attributes/"
audiences = {"urn:amazon:webservices", "urn:amazon:webservices:cn-north-1", "https://signin.aws.amazon.com/saml"}
recipients = {"https://signin.aws.amazon.com/saml", "https://signin.amazonaws.cn/saml"}


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(message); self.status, self.code, self.message = status, code, message


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def duration(form):
    seconds = form.get("DurationSeconds", "3600")
    if not seconds.isdigit() or not 900 <= int(seconds) <= 43200:
        raise Refused(400, "ValidationError", "DurationSeconds must lie between 900 and 43200")
    return int(seconds)


def check_saml(form, cert):
    from lxml import etree
    from signxml import XMLVerifier
    from signxml.exceptions import InvalidInput, InvalidSignature
    try:
        raw = base64.b64decode(form["SAMLAssertion"], validate=True)
        root = etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True))
    except Exception:
        raise Refused(400, "InvalidIdentityToken", "Invalid base64 or XML in SAMLAssertion")
    try:
        signed = XMLVerifier().verify(root, x509_cert=open(cert).read(), id_attribute="ID").signed_xml
    except (InvalidSignature, InvalidInput) as e:
        raise Refused(400, "InvalidIdentityToken", "Response signature invalid: %s" % e)
    x = signed if signed.tag.endswith("}Assertion") else signed.find("a:Assertion", ns)
    if x is None:
        raise Refused(400, "InvalidIdentityToken", "no signed assertion")
    now, slack = dt.datetime.now(dt.timezone.utc), dt.timedelta(seconds=60)
    confirmation = x.find(".//a:SubjectConfirmationData", ns)
    if now > instant(confirmation.get("NotOnOrAfter")) or now > instant(x.get("IssueInstant")) + dt.timedelta(minutes=5) + slack:
        raise Refused(400, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
    if now + slack < instant(x.find("a:Conditions", ns).get("NotBefore")):
        raise Refused(400, "InvalidIdentityToken", "assertion not yet valid")
    if not audiences & {e.text for e in x.iterfind(".//a:Audience", ns)}:
        raise Refused(400, "InvalidIdentityToken", "Audience is not accepted")
    if confirmation.get("Recipient") not in recipients:
        raise Refused(400, "InvalidIdentityToken", "Recipient is not accepted")
    values = {t.get("Name"): [v.text for v in t.iterfind("a:AttributeValue", ns)] for t in x.iterfind(".//a:Attribute", ns)}
    wanted = {form.get("RoleArn"), form.get("PrincipalArn")}
    if not any({s.strip() for s in v.split(",")} == wanted for v in values.get(aws + "Role", [])):
        raise Refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", (values.get(aws + "RoleSessionName") or [""])[0] or ""):
        raise Refused(400, "InvalidIdentityToken", "RoleSessionName is required and must match [a-zA-Z_0-9+=,.@-]{2,64}")
    seconds = duration(form) if "DurationSeconds" in form else int((values.get(aws + "SessionDuration") or ["3600"])[0])
    # What moto reads: one role, one duration.
    reduced = etree.Element("{%s}Response" % ns["p"])
    statement = etree.SubElement(etree.SubElement(reduced, "{%s}Assertion" % ns["a"]), "{%s}AttributeStatement" % ns["a"])
    for n, v in (("Role", form["RoleArn"] + "," + form["PrincipalArn"]), ("RoleSessionName", values[aws + "RoleSessionName"][0]), ("SessionDuration", str(seconds))):
        etree.SubElement(etree.SubElement(statement, "{%s}Attribute" % ns["a"], Name=aws + n), "{%s}AttributeValue" % ns["a"]).text = v
    form["SAMLAssertion"] = base64.b64encode(etree.tostring(reduced)).decode()


def console(form):
    """The sign-in page, /saml: what a browser posts there is held against the same rules, and one role goes on to its console."""
    from lxml import etree
    try:
        root = etree.fromstring(base64.b64decode(form.get("SAMLResponse", ""), validate=True), etree.XMLParser(resolve_entities=False, no_network=True))
        roles = [v.text for t in root.iterfind(".//a:Attribute", ns) if t.get("Name") == aws + "Role" for v in t.iterfind("a:AttributeValue", ns)]
        if root.get("Destination") not in recipients or len(roles) != 1:
            raise ValueError("destination or roles")
        pair = dict(zip(("RoleArn", "PrincipalArn"), sorted(roles[0].split(","), key=lambda s: ":role/" not in s)))
        check_saml({"SAMLAssertion": form["SAMLResponse"], **pair}, os.environ["LAB_SAML_CERT"])
    except (Refused, ValueError, KeyError, etree.XMLSyntaxError) as e:
        return "400 Bad Request", "<title>Amazon Web Services Sign-In</title>Your request included an invalid SAML response. %s" % e
    return "200 OK", "<!DOCTYPE html><title>AWS Management Console</title><p id=role>%s</p>" % pair["RoleArn"]


class Gate:
    def __init__(self, app):
        self.app, self.lock = app, threading.Lock()

    def __call__(self, env, start):
        if env.get("HTTP_AUTHORIZATION"):
            return self.app(env, start)
        body = env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0)) if env["REQUEST_METHOD"] == "POST" else b""
        reply = sso.handle(env, start, body)
        if reply is not None:
            return reply
        if env["REQUEST_METHOD"] != "POST":
            return self.app(env, start)
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))
        if env["PATH_INFO"] == "/saml" and os.environ.get("LAB_SAML_CERT"):
            status, text = console(form)
            start(status, [("Content-Type", "text/html"), ("Content-Length", str(len(text.encode())))])
            return [text.encode()]
        with_saml = form.get("Action") == "AssumeRoleWithSAML"
        try:
            if with_saml and os.environ.get("LAB_SAML_CERT"):
                check_saml(form, os.environ["LAB_SAML_CERT"])
        except Refused as e:
            text = ('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error>'
                    "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>" % (e.code, e.message.replace("&", "&amp;").replace("<", "&lt;"))).encode()
            start("%d Refused" % e.status, [("Content-Type", "text/xml"), ("Content-Length", str(len(text)))])
            return [text]
        if with_saml:
            body = urllib.parse.urlencode(form).encode()
        env["wsgi.input"], env["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        if not with_saml:
            return self.app(env, start)
        # It comes unsigned: moto's check of signatures, where it is on, is off for this call alone.
        with self.lock:
            before, settings.INITIAL_NO_AUTH_ACTION_COUNT = settings.INITIAL_NO_AUTH_ACTION_COUNT, float("inf")
            try:
                reply = list(self.app(env, start))
            finally:
                settings.INITIAL_NO_AUTH_ACTION_COUNT = before
            for partition in ("aws", "aws-cn"):
                for role in sts_backends[own][partition].assumed_roles:
                    home = sts_backends[role.role_arn.split(":")[4]][role.role_arn.split(":")[1]]
                    if role not in home.assumed_roles:
                        home.assumed_roles.append(role)
        return reply


def seed():
    """The roles that ../simplesamlphp and ../lemonldap hand out, each allowed everything."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"}]})
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    for partition, account, names in (("aws", own, ["ReadOnly", "Admin", "Web"]), ("aws", "111111111111", ["Admin", "ReadOnly", "Carol", "Web"]),
                                      ("aws", "222222222222", ["Deploy", "Audit", "Web"]), ("aws-cn", "333333333333", ["CnAdmin"])):
        iam = iam_backends[account][partition]
        for n in names:
            iam.create_role(n, trust, "/", None, "", [], "43200")
            iam.put_role_policy(n, "all", policy)


def user():
    """A user of the key management, whose access key goes into a file that nobody else can read: a line for the identity, one for the secret."""
    iam = iam_backends[own]["aws"]
    iam.create_user("us-east-1", "signer")
    allowed = {"Effect": "Allow", "Action": ["kms:CreateKey", "kms:GetPublicKey", "kms:Sign"], "Resource": "*"}
    iam.put_user_policy("signer", "kms", json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    key = iam.create_access_key("signer")
    descriptor = os.open(os.environ["LAB_MOTO_USER_FILE"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, ("%s\n%s\n" % (key.access_key_id, key.secret_access_key)).encode())
    os.close(descriptor)


def sign(self):
    """`Sign` of a digest, as AWS documents it."""
    key = self.kms_backend.describe_key(self._get_param("KeyId"))
    digest = self._get_param("Message")
    if key.key_usage != "SIGN_VERIFY":
        raise ValidationException("%s key usage is %s which is not valid for Sign." % (key.arn, key.key_usage))
    wanted = ("DIGEST", "RSASSA_PKCS1_V1_5_SHA_256")
    if (self._get_param("MessageType"), self._get_param("SigningAlgorithm")) != wanted or len(digest) != 32:
        raise ValidationException("Digest is invalid length for algorithm RSASSA_PKCS1_V1_5_SHA_256.")
    signature = key.private_key.private_key.sign(digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    return json.dumps({"KeyId": key.arn, "Signature": base64.b64encode(signature).decode(), "SigningAlgorithm": wanted[1]})


class Handler(MotoRequestHandler):
    def make_environ(self):
        env = super().make_environ()
        # werkzeug leaves out headers with an underscore in their names; the portal's token is one
        if self.headers.get("x-amz-sso_bearer_token"):
            env["HTTP_X_AMZ_SSO_BEARER_TOKEN"] = self.headers["x-amz-sso_bearer_token"]
        return env


seed()
KmsResponse.sign = sign
if os.environ.get("LAB_MOTO_USER_FILE"):
    user()
if os.environ.get("LAB_MOTO_AUTH") == "1":
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0.0
run_simple("127.0.0.1", port, Gate(DomainDispatcherApplication(create_backend_app)), threaded=True, request_handler=Handler)
