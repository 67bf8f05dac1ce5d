"""seed.py URL ACCOUNT ISSUER: roles that a web identity may take, signed for by botocore.

`Web` wants alice or a machine of the lab as the subject, `Machine` a machine only; both want their audience. `Chained` lets `Web` in,
`Guarded` too but for who knows an external ID, `Twice` lets `Chained` in.
"""
import json, sys
import botocore.session

url, account, issuer = sys.argv[1:]
iam = botocore.session.get_session().create_client("iam", region_name="us-east-1", endpoint_url=url, aws_access_key_id="labroot", aws_secret_access_key="labroot")
host = issuer.split("://", 1)[1].rstrip("/")
audiences = ["sts.amazonaws.com", "lab-cli", "lab-cli-es256"]
iam.create_open_id_connect_provider(Url=issuer, ClientIDList=audiences, ThumbprintList=["0" * 40])
for role, subjects in (("Web", ["alice", "lab-machine", "lab-machine-post", "lab-signer"]), ("Machine", ["lab-machine"])):
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::%s:oidc-provider/%s" % (account, host)}, "Action": "sts:AssumeRoleWithWebIdentity",
         "Condition": {"StringEquals": {host + ":aud": audiences, host + ":sub": subjects}}}]}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust), MaxSessionDuration=43200)
    iam.put_role_policy(RoleName=role, PolicyName="some", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": "*"}]}))
for role, by, told in (("Chained", "Web", {}), ("Guarded", "Web", {"StringEquals": {"sts:ExternalId": "lab:42"}}), ("Twice", "Chained", {})):
    allow = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:role/%s" % (account, by)}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [allow | ({"Condition": told} if told else {})]}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust), MaxSessionDuration=43200)
    iam.put_role_policy(RoleName=role, PolicyName="some", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": "*"}]}))
