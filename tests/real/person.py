"""What a person does in a browser at the lab's OpenID provider, for tests/real/oidc.

person.py ADDRESS USER [deny]   opens the address, signs in as USER (password USER-pw), allows or denies, and follows every
                                redirect, also the one back to the program that waits on this machine
Prints the last page's text. Standard library only.
"""
import html.parser, http.cookiejar, sys, urllib.error, urllib.parse, urllib.request

address, user, denies = sys.argv[1], sys.argv[2], sys.argv[3:] == ["deny"]
web = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.action, self.fields, self.text = None, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = given.get("action", "")
        if tag in ("input", "button") and given.get("name"):
            self.fields.append((given["name"], given.get("value") or ""))

    def handle_data(self, data):
        self.text.append(data.strip())


data = None
for _ in range(12):
    try:
        answer = web.open(urllib.request.Request(address, data), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    page = Page(answer.read().decode())
    if page.action is None:
        break
    values = {}
    for name, value in page.fields:
        if name == "login":
            value = user
        elif name == "password":
            value = user + "-pw"
        elif name == "answer" and value != ("deny" if denies else "allow"):
            continue
        elif name == "abort":
            continue
        values[name] = value
    address = urllib.parse.urljoin(answer.geturl(), page.action)
    data = urllib.parse.urlencode(values).encode()
print(answer.status, " ".join(text for text in page.text if text))
