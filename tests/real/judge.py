"""What tests/real/run lets Python decide.

judge.py totp SECRET               the code of this moment
judge.py lasts HOME PROFILE SECONDS  the AWS profile expires that many seconds from now, a minute or two aside
judge.py snapshot HOME             one line a file: mode, digest, name
judge.py private HOME              no file that may hold keys is readable by others
judge.py prepare HOME lf|crlf      files as other programs left them
judge.py person FILE COMMAND...    runs it on a terminal; when it has asked for something and FILE is there, types FILE's text
judge.py chain HOME                roles on top of profile `ssp-ali` in ~/.aliyun/config.json
judge.py forge HOME                every cached secret is another one from here on
judge.py compare HOME lf|crlf      after a login to profile `ssp`: everything else is as it was
"""
import base64, datetime as dt, hashlib, hmac, json, os, pty, re, select, signal, struct, sys, time

OURS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token",
        "x_principal_arn", "x_security_token_expires", "region")

CREDENTIALS = """\
# kept by hand, do not sort
[default]
aws_access_key_id = AKIAEXAMPLEDEFAULT00
aws_secret_access_key = abc#def;ghi/+=jkl
; a second kind of comment

[nested]
aws_access_key_id=AKIAEXAMPLENESTED000
aws_secret_access_key=a%b%%c
s3 =
    max_concurrent_requests = 20
    addressing_style = path
region = eu-west-1

[ssp]
# this comment stays
aws_access_key_id     = ASIAOLD
aws_secret_access_key = old # not a comment
aws_session_token     = old
x_kept_by_someone     = yes

[last one]
credential_process = /bin/echo "a b" 'c'
"""

CONFIG = {
    "current": "corp",
    "profiles": [
        {"name": "corp", "mode": "OIDC", "oidc_provider_arn": "acs:ram::1000000000000009:oidc-provider/corp",
         "oidc_token_file": "/run/token", "ram_role_arn": "acs:ram::1000000000000009:role/ci", "role_session_name": "ci",
         "region_id": "eu-central-1", "not_known_to_us": {"deep": [1, 2.5, None, "ü"]}, "retry_count": 0},
        {"name": "plain", "mode": "AK", "access_key_id": "LTAIEXAMPLE", "access_key_secret": "<&>\u2028", "language": "zh"},
    ],
    "meta_path": "",
    "unknown_top": [True, {"a": 1e3}],
}


def totp(secret):
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = mac[-1] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7FFFFFFF) % 10**6)


def person(file, *command):
    """Types once, when FILE is there and the program has been silent for half a second; its status is ours."""
    pid, screen = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    typed, deadline = False, time.time() + 60
    while time.time() < deadline:
        ready, _, _ = select.select([screen], [], [], 0.5)
        if ready:
            try:
                said = os.read(screen, 65536)
            except OSError:  # Linux says so when the program is gone
                said = b""
            if not said:
                sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os.write(1, said)
        elif not typed and os.path.exists(file):
            os.write(screen, read(file).strip() + b"\r")
            typed = True
    os.kill(pid, signal.SIGTERM)
    sys.exit("gave up waiting")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def files(home):
    for folder, _, names in os.walk(home):
        for name in names:
            yield os.path.join(folder, name)


def snapshot(home):
    for path in sorted(files(home)):
        print("%o %s %s" % (os.stat(path).st_mode & 0o7777, hashlib.sha256(read(path)).hexdigest()[:16], os.path.relpath(path, home)))


def private(home):
    for path in files(home):
        mode = os.stat(path).st_mode & 0o777
        if re.search(rb"aws_session_token|sts_token|SecretAccessKey|secret", read(path)) and mode & 0o077:
            sys.exit("%s has mode %o" % (os.path.relpath(path, home), mode))


def raw(home):
    """~/.aws/credentials as the AWS SDK for Python reads it."""
    from botocore.configloader import raw_config_parse
    return raw_config_parse(os.path.join(home, ".aws/credentials"), parse_subsections=True)


def lasts(home, profile, seconds):
    until = dt.datetime.fromisoformat(raw(home)[profile]["x_security_token_expires"].replace("Z", "+00:00"))
    left = (until - dt.datetime.now(dt.timezone.utc)).total_seconds()
    if not int(seconds) - 120 <= left <= int(seconds) + 5:
        sys.exit("expires in %d s, not in %s" % (left, seconds))


def aws_bytes(kind):
    return CREDENTIALS.replace("\n", "\r\n" if kind == "crlf" else "\n").encode()


def prepare(home, kind):
    os.makedirs(home + "/.aws"); os.makedirs(home + "/.aliyun")
    with open(home + "/.aws/credentials", "wb") as f:
        f.write(aws_bytes(kind))
    with open(home + "/.aliyun/config.json", "w") as f:
        json.dump(CONFIG, f, indent="\t", ensure_ascii=False)
    os.chmod(home + "/.aws/credentials", 0o600); os.chmod(home + "/.aliyun/config.json", 0o600)
    with open(home + "/parsed-before.json", "w") as f:
        json.dump(raw(home), f)


def is_ours(line):
    """A line that a login may rewrite: a key of ours inside [ssp]."""
    return line.split(b"=")[0].strip().decode() in OURS


def foreign_lines(data):
    section, kept = b"", []
    for line in data.splitlines(keepends=True):
        if line.startswith(b"["):
            section = line.strip()
        if section != b"[ssp]" or not is_ours(line):
            kept.append(line)
    return kept


def compare(home, kind):
    before, after = aws_bytes(kind), read(home + "/.aws/credentials")
    if foreign_lines(before) != foreign_lines(after):
        import difflib
        sys.exit("".join(difflib.unified_diff([repr(x) + "\n" for x in foreign_lines(before)], [repr(x) + "\n" for x in foreign_lines(after)], n=0)))
    with open(home + "/parsed-before.json") as f:
        old, new = json.load(f), raw(home)
    old_ssp, new_ssp = old.pop("ssp"), new.pop("ssp")
    if old != new:
        sys.exit("botocore reads other profiles differently")
    if new_ssp["x_kept_by_someone"] != "yes" or not new_ssp["aws_session_token"] or new_ssp["aws_session_token"] == old_ssp["aws_session_token"]:
        sys.exit("[ssp] is not what a login should leave")
    if kind == "crlf" and re.search(rb"(?<!\r)\n", after):
        sys.exit("a bare line feed in a file with CRLF")
    config = json.loads(read(home + "/.aliyun/config.json"))
    mine = [p for p in config["profiles"] if p["name"] == "ssp-ali"]
    config["profiles"] = [p for p in config["profiles"] if p["name"] != "ssp-ali"]
    if json.dumps(config) != json.dumps(CONFIG):
        sys.exit("config.json: %s" % json.dumps(config))
    if len(mine) != 1 or mine[0]["mode"] != "StsToken" or not mine[0]["sts_token"]:
        sys.exit("no profile ssp-ali of mode StsToken")


def chain(home):
    path = home + "/.aliyun/config.json"
    config = json.loads(read(path))
    role = lambda name, arn, **more: dict(name=name, mode="RamRoleArn", ram_role_arn="acs:ram::" + arn, ram_session_name="", region_id="cn-hangzhou", **more)
    config["profiles"] += [
        dict(role("top", "1000000000000001:role/web"), mode="ChainableRamRoleArn", source_profile="ssp-ali", ram_session_name="on-top"),
        dict(role("further", "1000000000000002:role/audit"), mode="ChainableRamRoleArn", source_profile="top"),
        role("forged", "1000000000000001:role/web"),
    ]
    with open(path, "w") as f:
        json.dump(config, f)


def forge(home):
    for path in files(home + "/.cache/saml2cloud/credentials"):
        if path.endswith(".json"):
            entry = json.loads(read(path))
            entry["access_key_secret"] = "x" + entry["access_key_secret"][1:]
            with open(path, "w") as f:
                json.dump(entry, f)


if __name__ == "__main__":
    verb, args = sys.argv[1], sys.argv[2:]
    if verb == "totp":
        print(totp(*args))
    else:
        {"lasts": lasts, "person": person, "snapshot": snapshot, "private": private, "prepare": prepare, "compare": compare, "chain": chain, "forge": forge}[verb](*args)
