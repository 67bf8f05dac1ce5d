"""A person with a security key, for tests/real/browser: the key is Chromium's own virtual authenticator, which its DevTools protocol puts in
(https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/). The program under test knows nothing of this: it drives the browser by a
pipe, and this comes by a port that the browser was told to open beside it.

    passkey.py register CHROMIUM PORTAL USER KEY      a browser of its own: signs in at LemonLDAP::NG, registers a key, writes it down
    passkey.py stranger KEY OTHER                     another key that calls itself the first one
    passkey.py use PROFILES KEY USER                  in the browser whose profile lies below PROFILES: types, and touches the key
    passkey.py close PROFILES                         closes that browser's window

The password is the user's name, as in the lab.
"""

import base64
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

LIMIT = 30


class Socket:
    """A WebSocket (RFC 6455) to this very machine: text both ways."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.rsplit(":", 1)
        self.stream = socket.create_connection((name, int(port)), timeout=LIMIT)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.stream.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.take(1)
        assert b" 101 " in answer.split(b"\r\n")[0], answer

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.stream.recv(count - len(data))
            if not piece:
                raise EOFError("the browser is gone")
            data += piece
        return data

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = bytes([0x81]) + (bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + struct.pack(">H", size) if size < 65536
                                else bytes([0xFF]) + struct.pack(">Q", size))
        self.stream.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)))

    def receive(self):
        text = b""
        while True:
            first, size = self.take(2)
            size &= 0x7F
            if size == 126:
                size = struct.unpack(">H", self.take(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.take(8))[0]
            piece = self.take(size)
            if first & 0x0F in (0, 1):
                text += piece
                if first & 0x80:
                    return text.decode()


class Page:
    """One tab, with a security key in the machine."""

    def __init__(self, port):
        def tabs():
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/json/list", timeout=LIMIT) as answer:
                return [tab for tab in json.load(answer) if tab["type"] == "page"]

        self.socket, self.last = Socket(until(tabs, "a tab")[0]["webSocketDebuggerUrl"]), 0
        self.ask("WebAuthn.enable", enableUI=False)
        options = {"protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
                   "automaticPresenceSimulation": True}
        self.key = self.ask("WebAuthn.addVirtualAuthenticator", options=options)["authenticatorId"]

    def ask(self, method, **params):
        self.last += 1
        self.socket.send(json.dumps({"id": self.last, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.receive())
            if message.get("id") == self.last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def tell(self, script):
        try:
            return self.ask("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")
        except RuntimeError:
            return None  # between two pages

    def go(self, url):
        self.ask("Page.navigate", url=url)

    def wait(self, script, what):
        return until(lambda: self.tell(script), f"{what}: {self.tell('document.title + document.body.innerText')}")

    def sign_in(self, user):
        self.wait("document.readyState === 'complete' && document.querySelector('input[name=user]') !== null", "the form")
        for field in ("user", "password"):
            self.tell(f"document.querySelector('input[name={field}]').focus()")
            self.ask("Input.insertText", text=user)
        self.tell("document.querySelector('input[name=password]').form.querySelector('[type=submit]').click()")


def until(look, what):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        try:
            found = look()
            if found:
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"passkey: waited in vain for {what}")


def port_of(profiles):
    """The port that a browser wrote into its profile; one that was left there answers nobody."""

    def look():
        for file in pathlib.Path(profiles).glob("**/DevToolsActivePort"):
            try:
                port = int(file.read_text().splitlines()[0])
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return port
            except OSError:
                continue
        return None

    return until(look, "a browser")


def register(chromium, portal, user, key):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        browser = subprocess.Popen([chromium, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            page = Page(port_of(profile))
            page.go(portal)
            page.sign_in(user)
            page.wait("document.cookie !== null && document.querySelector('input[name=password]') === null", "the portal")
            page.go(f"{portal}2fregisters/webauthn")
            page.wait("document.readyState === 'complete' && document.querySelector('#register') !== null", "the registration")
            page.tell("document.querySelector('#register').click()")
            page.wait("document.querySelector('#msg').getAttribute('trspan') === 'yourKeyIsRegistered'", "the key")
            [credential] = page.ask("WebAuthn.getCredentials", authenticatorId=page.key)["credentials"]
            pathlib.Path(key).write_text(json.dumps(credential))
        finally:
            browser.terminate()
            browser.wait()


def stranger(key, other):
    make = "openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -outform DER"
    made = subprocess.run(make, shell=True, check=True, capture_output=True).stdout
    credential = json.loads(pathlib.Path(key).read_text())
    credential["privateKey"] = base64.b64encode(made).decode()
    pathlib.Path(other).write_text(json.dumps(credential))


def use(profiles, key, user):
    page = Page(port_of(profiles))
    page.ask("WebAuthn.addCredential", authenticatorId=page.key, credential=json.loads(pathlib.Path(key).read_text()))
    page.sign_in(user)
    # The page asks for the key by itself. Where it is taken the program has what it came for and ends the browser.
    try:
        until(lambda: page.tell("document.querySelector('.message-danger, .message-negative') !== null"), "an end of the sign-in")
    except (EOFError, OSError):
        print("the browser has ended")
        return
    print("the page says:", page.tell("document.querySelector('.message-danger, .message-negative').innerText"))


def close(profiles):
    page = Page(port_of(profiles))
    try:
        page.ask("Page.close")
    except (EOFError, OSError):
        pass


if __name__ == "__main__":
    {"register": register, "stranger": stranger, "use": use, "close": close}[sys.argv[1]](*sys.argv[2:])
