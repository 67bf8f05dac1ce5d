"""xmlsec1's word on documents, and whose name stands in them.

    judge.py issued KEYS FOLDER      every document that the product issued holds
    judge.py taken KEYS FOLDER       every document that the gate took holds, and names the one person
    judge.py fixtures KEYS FOLDER    the fixtures are what their names say
"""

import pathlib
import subprocess
import sys
import xml.etree.ElementTree as tree

A, P, D = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol", "http://www.w3.org/2000/09/xmldsig#"
# The certificates that the tests pin.
PINNED = ["idp", "next", "p256", "p384"]


def verifies(keys, path, place, names=PINNED):
    """Whether one of the keys made the signature of the response, or of the assertion, and which element it covers."""
    where = {"Response": f"/*[local-name()='Response']/*[local-name()='Signature']",
             "Assertion": f"/*[local-name()='Response']/*[local-name()='Assertion']/*[local-name()='Signature']"}[place]
    for name in names:
        done = subprocess.run(
            ["xmlsec1", "--verify", "--enabled-reference-uris", "empty,same-doc", "--pubkey-cert-pem", str(keys / f"{name}.crt.pem"),
             "--id-attr:ID", f"{A}:Assertion", "--id-attr:ID", f"{P}:Response", "--node-xpath", where, str(path)],
            capture_output=True)
        if done.returncode == 0:
            return True
    return False


def signed(root):
    """The elements that have a signature as a child, which has to refer to them."""
    for place, node in (("Response", root), ("Assertion", root.find(f"{{{A}}}Assertion"))):
        signature = node.find(f"{{{D}}}Signature")
        if signature is not None:
            uri = signature.find(f".//{{{D}}}Reference").get("URI")
            assert uri == "#" + node.get("ID"), f"it refers to {uri}"
            yield place


def sound(keys, path):
    """The one assertion, if its own signature or the response's covers it and every signature holds."""
    root = tree.parse(path).getroot()
    assert root.tag == f"{{{P}}}Response" and len(list(root.iter(f"{{{A}}}Assertion"))) == 1
    places = list(signed(root))
    assert places, "nothing is signed"
    for place in places:
        assert verifies(keys, path, place), f"the signature of the {place} does not hold"
    return root.find(f"{{{A}}}Assertion")


def issued(keys, path):
    sound(keys, path)


def taken(keys, path):
    assertion = sound(keys, path)
    name = "".join(assertion.find(f"{{{A}}}Subject/{{{A}}}NameID").itertext()).strip()
    gid = ["".join(value.itertext()).strip() for attribute in assertion.iter(f"{{{A}}}Attribute") if attribute.get("Name") == "gid"
           for value in attribute]
    assert (name, gid) == ("E1001", ["E1001"]), f"{name} {gid}"


def fixtures(keys, path):
    """What is good or only weak holds; what is bad names another person, or was signed by a stranger."""
    kind = path.name.split("-")[0]
    name = {"weak-short-key.xml": ["short"], "bad-stranger.xml": ["stranger"]}.get(path.name, PINNED)
    place = "Response" if path.name in ("good-response-only.xml", "weak-empty-uri.xml") else "Assertion"
    assert verifies(keys, path, place, name), "it does not hold"
    if path.name == "bad-stranger.xml":
        assert not verifies(keys, path, place), "a pinned key made it"
    assert kind in ("good", "weak", "bad")


def main():
    what, keys, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    paths = sorted(folder.glob("*.xml"))
    wrong = 0
    for path in paths:
        try:
            {"issued": issued, "taken": taken, "fixtures": fixtures}[what](keys, path)
        except AssertionError as why:
            wrong += 1
            print(f"{path.name}: {why}")
    # A judge who saw nothing says nothing.
    least = {"issued": 50, "taken": 150, "fixtures": 20}[what]
    if wrong or len(paths) < least:
        sys.exit(f"{wrong} of {len(paths)} are wrong")
    print({"fixtures": "fixtures: as they should be"}.get(what, f"{what}: all"), len(paths))


main()
