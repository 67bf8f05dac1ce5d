"""A person with a real Chromium at the service, for tests/real/tvm: signs in at the identity provider, looks at the first page, takes a
role's way into the cloud's console.

tvm_chromium.py WEBDRIVER_URL CAPABILITIES_FILE BASE USER PASSWORD ROLE SCREENSHOT
Prints what the cloud's page says. Standard library only; WebDriver is plain HTTP.
"""
import base64, json, sys, time, urllib.error, urllib.request

driver, capabilities, base, user, password, role, screenshot = sys.argv[1:]
web = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def ask(method, path, body=None):
    data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
    request = urllib.request.Request(driver + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        return json.load(web.open(request, timeout=60))["value"]
    except urllib.error.HTTPError as error:
        raise SystemExit("%s %s: %s" % (method, path, json.load(error)["value"].get("message", "")[:300]))


session = "/session/" + ask("POST", "/session", json.load(open(capabilities)))["sessionId"]
def script(text, *args): return ask("POST", session + "/execute/sync", {"script": text, "args": list(args)})
def find(css): return ask("POST", session + "/elements", {"using": "css selector", "value": css})
def click(element): ask("POST", session + "/element/%s/click" % element[ELEMENT])
def typed(element, text): ask("POST", session + "/element/%s/value" % element[ELEMENT], {"text": text})


def until(what, ready, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        got = ready()
        if got: return got
        time.sleep(0.1)
    page = script("return document.location.host + document.location.pathname + ' ' + document.title + ': ' + document.body.innerText")
    raise SystemExit("waited for %s at: %s" % (what, page[:1500]))


try:
    ask("POST", session + "/url", {"url": base})
    name = until("the identity provider's form", lambda: find("input[name=username], input[name=user]"))[0]
    typed(name, user)
    secret = find("input[name=password]")[0]
    typed(secret, password)
    click(find("form button[type=submit], form button:not([type]), form input[type=submit], #regularsubmit button")[0])
    # Each role has its own form; the one in the smallest part of the page that names the role is the role's.
    pick = """const forms = [...document.querySelectorAll('form[action*="/sso"]')]; let best = null, least = 99;
        for (const form of forms) { let at = form, steps = 0; while (at && !(at.textContent || '').includes(arguments[0])) { at = at.parentElement; steps++; }
            if (at && steps < least) { least = steps; best = form; } }
        return best && best.querySelector('button, input[type=submit]');"""
    button = until("the role `%s`" % role, lambda: script(pick, role))
    png = ask("GET", session + "/screenshot")
    open(screenshot, "wb").write(base64.b64decode(png))
    click(button)
    # The console may open in a window of its own.
    def console():
        for window in ask("GET", session + "/window/handles"):
            ask("POST", session + "/window", {"handle": window})
            if find("#role"): return True
    until("the cloud's console", console)
    print(script("return document.title + ': ' + document.querySelector('#role').textContent + ' at ' + document.location.host"))
finally:
    ask("DELETE", session)
