"""An enterprise for tests/real/tvm, made over the service's own interface: tvm_seed.py BASE TOKEN_FILE CA_FILE ADMIN_GID PEOPLE...

A folder with an AWS and an Alibaba Cloud account, whose entries trust the service; roles for the people; a horizontal role. Standard library only.
"""
import json, ssl, sys, urllib.error, urllib.request

base, token, ca, admin, *people = sys.argv[1:]
web = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
bearer = "Bearer " + open(token).read().strip()


def ask(method, path, body=None, version=None):
    headers = {"Authorization": bearer, "Accept": "application/json"}
    if body is not None: headers["Content-Type"] = "application/json"
    if version is not None: headers["If-Match"] = '"%d"' % version
    data = json.dumps(body).encode() if body is not None else None
    try: text = web.open(urllib.request.Request(base + "api/v1/" + path, data, headers, method=method), timeout=30).read()
    except urllib.error.HTTPError as error: sys.exit("%s %s: %d %s" % (method, path, error.code, error.read().decode()))
    return json.loads(text) if text else None


def account(folder, name, number, provider, roles):
    node = ask("POST", "nodes", {"parent": folder["id"], "name": name, "account": number, "owners": [admin]})
    ask("PATCH", "nodes/" + node["id"], {"saml_provider": provider}, node["version"])
    for arn, members in roles:
        role = ask("POST", "nodes/%s/system-roles" % node["id"], {"arn": arn})
        for gid in members: ask("PUT", "roles/%s/members/%s" % (role["id"], gid), {})


root = ask("GET", "nodes")["items"][0]
for gid in people: ask("POST", "users", {"gid": gid, "alias": gid})
folder = ask("POST", "nodes", {"parent": root["id"], "name": "Production", "owners": [admin]})
everybody = [admin] + people[:1]
account(folder, "shop", "aws:111111111111", "arn:aws:iam::111111111111:saml-provider/cam",
        [("arn:aws:iam::111111111111:role/Admin", [admin]), ("arn:aws:iam::111111111111:role/ReadOnly", everybody)])
account(folder, "生产", "alibaba:1000000000000001", "acs:ram::1000000000000001:saml-provider/cam",
        [("acs:ram::1000000000000001:role/admin", [admin]), ("acs:ram::1000000000000001:role/reader", everybody)])
account(folder, "bank", "aws:222222222222", "arn:aws:iam::222222222222:saml-provider/cam", [("arn:aws:iam::222222222222:role/Audit", [])])
# The last of the people is an auditor, by the name of roles and not by one of them.
group = ask("POST", "nodes/%s/groups" % root["id"], {"name": "auditors"})
ask("PUT", "groups/%s/members/%s" % (group["id"], people[-1]), {})
across = ask("POST", "nodes/%s/horizontal-roles" % root["id"], {"name": "Auditors", "matcher": "prefix", "pattern": "Audit", "confirm": True})
ask("PUT", "horizontal-roles/%s/groups/%s" % (across["id"], group["id"]))
print("seeded")
