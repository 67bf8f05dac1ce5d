"""What a person does in a browser at a service that a corporate identity provider signs in to, for tests/real/tvm.

tvm_person.py ADDRESS   opens the address and does what each page wants: signs in at the identity provider, takes its answer to the
                        service, types the code of another device, allows a command line, follows every redirect, also the one back
                        to the program that waits on this machine
The environment says who: PERSON=user:password, PERSON_TOTP=secret, PERSON_CODE=the code to type, PERSON_SAYS=allow|deny,
PERSON_CA=file with authorities, PERSON_JAR=file that keeps cookies between runs, PERSON_LOG=file for one line a page.
Prints the last page's status, address and text. Standard library only; no scripts are run.
"""
import base64, hashlib, hmac, html.parser, http.cookiejar, os, ssl, struct, sys, time, urllib.error, urllib.parse, urllib.request

user, password = os.environ["PERSON"].split(":", 1)
says = os.environ.get("PERSON_SAYS", "allow")
jar = http.cookiejar.LWPCookieJar(os.environ.get("PERSON_JAR") or None)
if jar.filename and os.path.exists(jar.filename):
    jar.load(ignore_discard=True)
trust = ssl.create_default_context(cafile=os.environ.get("PERSON_CA") or None)


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, message, headers, url):
        note("%d -> %s" % (code, url.split("?")[0]))
        return super().redirect_request(request, fp, code, message, headers, url)


web = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust), Redirects(),
                                  urllib.request.HTTPCookieProcessor(jar))


def note(line):
    if os.environ.get("PERSON_LOG"):
        with open(os.environ["PERSON_LOG"], "a") as f:
            f.write(line + "\n")


def totp(secret):
    key = base64.b32decode(secret)
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF) % 1000000)


class Page(html.parser.HTMLParser):
    """Forms with their fields and buttons; the text."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.text, self.open = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {k: v or "" for k, v in attrs}
        if tag == "form":
            self.open = True
            self.forms.append({"action": given.get("action", ""), "method": given.get("method", "get").lower(), "fields": [], "buttons": []})
        elif self.open and tag in ("input", "button", "select") and "disabled" not in given:
            kind = given.get("type", "submit" if tag == "button" else "text").lower()
            if kind in ("submit", "button", "image"):
                self.forms[-1]["buttons"].append((given.get("name", ""), given.get("value", "")))
            elif given.get("name"):
                if kind in ("checkbox", "radio") and "checked" not in given: return
                self.forms[-1]["fields"].append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag):
        if tag == "form": self.open = False

    def handle_data(self, data):
        self.text.append(data.strip())


def choose(page):
    """The form to send, and what to put into it; nothing where a person would stop."""
    def has(form, *names): return all(any(n == name for n, _ in form["fields"]) for name in names)
    for form in page.forms:
        if has(form, "SAMLResponse") or has(form, "SAMLRequest"): return form, {}
    for form in page.forms:
        wanted = "allow" if says == "allow" else "deny"
        for name, value in form["buttons"]:
            if name and value == wanted: return form, {name: value}
    for form in page.forms:
        if has(form, "user_code") and os.environ.get("PERSON_CODE"): return form, {"user_code": os.environ["PERSON_CODE"]}
    for form in page.forms:
        if has(form, "username", "password"): return form, {"username": user, "password": password}
        if has(form, "user", "password"): return form, {"user": user, "password": password}
        if has(form, "code", "token") and os.environ.get("PERSON_TOTP"): return form, {"code": totp(os.environ["PERSON_TOTP"])}
    return None, {}


address, data, asked = sys.argv[1], None, []
for _ in range(20):
    try:
        answer = web.open(urllib.request.Request(address, data), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    page = Page(answer.read().decode("utf-8", "replace"))
    note("%d %s" % (answer.status, answer.geturl().split("?")[0]))
    form, values = choose(page)
    # The same question again means that the answer was not good.
    if form is None or (form["action"], tuple(values)) in asked and values: break
    asked.append((form["action"], tuple(values)))
    if form["method"] != "post" and not values: break
    fields = [(n, values.pop(n, v)) for n, v in form["fields"]] + list(values.items())
    address = urllib.parse.urljoin(answer.geturl(), form["action"])
    if form["method"] == "post": data = urllib.parse.urlencode(fields).encode()
    else: address, data = address.split("?")[0] + "?" + urllib.parse.urlencode(fields), None
if jar.filename:
    jar.save(ignore_discard=True)
print(answer.status, answer.geturl().split("?")[0], " ".join(text for text in page.text if text)[:2000])
