"""Signs in at the box's JumpCloud and writes the SAML response, in base64: response.py APP E-MAIL PASSWORD FILE [CODE]"""
import html, http.cookiejar, json, re, sys, urllib.request

app, email, password, file, *code = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def ask(url, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json", **headers} if body else headers
    return browser.open(urllib.request.Request(url, data, headers)).read().decode()


console = "https://console.jumpcloud.com/userconsole"
token = json.loads(ask(console + "/xsrf"))["xsrf"]
person = {"context": "sso", "redirectTo": "saml2/" + app, "email": email, "password": password, "otp": code[0] if code else ""}
ask(console + "/auth", person, **{"X-Xsrftoken": token})
page = ask("https://sso.jumpcloud.com/saml2/" + app)
found = re.search(r'name="SAMLResponse"\s+value="([^"]+)"', page)
if not found:
    sys.exit("no SAML response in:\n" + page[:500])
with open(file, "w") as out:
    out.write(html.unescape(found[1]))
